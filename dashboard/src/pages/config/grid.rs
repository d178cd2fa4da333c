//! The values of the board. When the one that has the focus goes, the focus goes to its neighbour and not to nowhere.

use std::rc::Rc;

use gloo::render::request_animation_frame;
use wasm_bindgen::JsCast;
use web_sys::Element;
use yew::prelude::*;

use crate::browser;

#[derive(Properties, PartialEq)]
pub struct GridProps {
    /// Of the entries, in their order.
    pub topics: Vec<Rc<str>>,
    /// One `li` for each topic, that says which and can have the focus.
    pub children: Html,
}

#[component]
pub fn Grid(props: &GridProps) -> Html {
    let list = use_node_ref();
    // The entry that the focus is in, and its place.
    let at = use_mut_ref(|| None::<(usize, Rc<str>)>);
    use_effect_with(props.topics.clone(), {
        let (list, at) = (list.clone(), Rc::clone(&at));
        move |topics: &Vec<Rc<str>>| {
            let gone = at.borrow().clone();
            let gone = gone.filter(|(_, topic)| !topics.contains(topic));
            if let Some((index, _)) = gone
                && browser::has_no_focus()
            {
                let index = index.min(topics.len().saturating_sub(1)) as u32;
                let neighbour = list.cast::<Element>();
                let neighbour = neighbour.and_then(|list| list.children().item(index));
                if let Some(neighbour) = neighbour {
                    browser::focus_on(&neighbour);
                }
            }
        }
    });
    use_effect_with((), {
        let at = Rc::clone(&at);
        move |()| {
            move || {
                // It was the last one: once it is out of the page, the page has the focus.
                if at.borrow().is_some() {
                    let look = request_animation_frame(|_| {
                        if browser::has_no_focus() {
                            browser::focus("main");
                        }
                    });
                    std::mem::forget(look);
                }
            }
        }
    });
    let onfocusin = {
        let (at, topics) = (Rc::clone(&at), props.topics.clone());
        Callback::from(move |event: FocusEvent| {
            let target = event.target().and_then(|target| target.dyn_into().ok());
            let topic = target.and_then(|target: Element| {
                let entry = target.closest("[data-topic]").ok().flatten()?;
                entry.get_attribute("data-topic")
            });
            let place = topics
                .iter()
                .position(|known| Some(&**known) == topic.as_deref());
            *at.borrow_mut() = place.map(|index| (index, Rc::clone(&topics[index])));
        })
    };
    let onfocusout = Callback::from(move |event: FocusEvent| {
        // Gone to something else; what is taken out of the page leaves the focus to nothing.
        if event.related_target().is_some() {
            at.borrow_mut().take();
        }
    });
    html! {
        <ul class="grid config-grid" aria-label="Config" ref={list} {onfocusin} {onfocusout}>{ props.children.clone() }</ul>
    }
}
