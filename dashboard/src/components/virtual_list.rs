//! A list of any length of which only what is in sight is in the page. It scrolls with the page.
//!
//! All rows have one height, which the stylesheet gives them too. Styles are set through CSSOM: the policy of the page
//! allows no inline styles.

use std::rc::Rc;

use gloo::events::{EventListener, EventListenerOptions};
use gloo::render::{AnimationFrame, request_animation_frame};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, ResizeObserver};
use yew::prelude::*;

use crate::browser;
use crate::model::format::fixed;
use crate::model::rows::{Layout, Part};

/// Draws the item at an index; the result is an `li` with a key.
#[derive(Clone)]
pub struct DrawItem(Rc<dyn Fn(usize) -> Html>);

impl DrawItem {
    pub fn new(draw: impl Fn(usize) -> Html + 'static) -> Self {
        Self(Rc::new(draw))
    }
}

impl PartialEq for DrawItem {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(Properties, PartialEq)]
pub struct VirtualListProps {
    pub items: usize,
    pub layout: Layout,
    pub draw: DrawItem,
    /// What the list is of.
    pub label: AttrValue,
    #[prop_or_default]
    pub class: Classes,
    #[prop_or_default]
    pub id: Option<AttrValue>,
    /// What the list is, if it is more than that: it is one stop of the keyboard then, and gets the keys.
    #[prop_or_default]
    pub role: Option<AttrValue>,
    #[prop_or_default]
    pub onkeydown: Callback<KeyboardEvent>,
    /// The item that the keys act on, and its id. It is in the page also when it is out of sight.
    #[prop_or_default]
    pub active: Option<(usize, AttrValue)>,
}

pub enum Msg {
    /// Something has moved: look again in the next frame.
    Moved,
    Look,
}

pub struct VirtualList {
    /// Keeps the room for all rows.
    frame: NodeRef,
    list: NodeRef,
    part: Part,
    /// What follows the page's movements, once the list is in it.
    watching: Option<Watching>,
    look: Option<AnimationFrame>,
}

struct Watching {
    observer: ResizeObserver,
    _resized: Closure<dyn FnMut()>,
    _scrolled: EventListener,
    _turned: EventListener,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

impl Component for VirtualList {
    type Message = Msg;
    type Properties = VirtualListProps;

    fn create(ctx: &Context<Self>) -> Self {
        let props = ctx.props();
        Self {
            frame: NodeRef::default(),
            list: NodeRef::default(),
            part: props.layout.first_part(props.items),
            watching: None,
            look: None,
        }
    }

    fn changed(&mut self, ctx: &Context<Self>, _: &VirtualListProps) -> bool {
        self.part = self.measured(ctx.props());
        true
    }

    fn update(&mut self, ctx: &Context<Self>, msg: Msg) -> bool {
        match msg {
            Msg::Moved => {
                if self.look.is_none() {
                    let link = ctx.link().clone();
                    let look = request_animation_frame(move |_| link.send_message(Msg::Look));
                    self.look = Some(look);
                }
                false
            }
            Msg::Look => {
                self.look = None;
                let part = self.measured(ctx.props());
                let is_other = part != self.part;
                self.part = part;
                is_other
            }
        }
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let props = ctx.props();
        let Part { first, end, .. } = self.part;
        let active = props.active.as_ref();
        let index = active.map_or(first, |(index, _)| *index);
        let above = Some(index).filter(|index| *index < first);
        let below = Some(index).filter(|index| (end..props.items).contains(index));
        let beyond = match above {
            Some(_) => Some("above"),
            None => below.map(|_| "below"),
        };
        let items = above.into_iter().chain(first..end).chain(below);
        let items = items.map(|index| (props.draw.0)(index));
        html! {
            <div class="virtual" ref={self.frame.clone()}>
                <ul class={classes!("virtual-items", props.class.clone())} ref={self.list.clone()}
                    id={props.id.clone()} role={props.role.clone()} tabindex={props.role.is_some().then_some("0")}
                    aria-activedescendant={active.map(|(_, id)| id.clone())} data-beyond={beyond} onkeydown={props.onkeydown.clone()}
                    aria-label={props.label.clone()} data-items={props.items.to_string()}>
                    { for items }
                </ul>
            </div>
        }
    }

    fn rendered(&mut self, ctx: &Context<Self>, first_render: bool) {
        if first_render {
            self.watching = self.frame.cast::<Element>().and_then(|e| watch(ctx, &e));
            // Before it is painted: what was drawn first was a guess.
            ctx.link().send_message(Msg::Look);
        }
        let layout = &ctx.props().layout;
        if let Some(frame) = self.frame.cast::<Element>() {
            browser::set_style(&frame, "height", &px(self.part.height_px));
        }
        if let Some(list) = self.list.cast::<Element>() {
            let columns = format!("repeat({}, minmax(0, 1fr))", self.part.columns);
            let offset = format!("translateY({})", px(self.part.offset_px));
            browser::set_style(&list, "grid-template-columns", &columns);
            browser::set_style(&list, "grid-auto-rows", &px(layout.row_px));
            browser::set_style(&list, "gap", &px(layout.gap_px));
            browser::set_style(&list, "transform", &offset);
        }
    }
}

impl VirtualList {
    fn measured(&self, props: &VirtualListProps) -> Part {
        let Some(frame) = self.frame.cast::<Element>() else {
            return props.layout.first_part(props.items);
        };
        let place = frame.get_bounding_client_rect();
        let view_px = browser::view_height_px();
        let layout = &props.layout;
        layout.part(props.items, place.width(), place.top(), view_px)
    }
}

fn px(length: f64) -> String {
    format!("{}px", fixed(length, 2))
}

/// Looks again whenever the page scrolls or the list has another width.
fn watch(ctx: &Context<VirtualList>, frame: &Element) -> Option<Watching> {
    let window = web_sys::window()?;
    let moved = ctx.link().callback(|()| Msg::Moved);
    let resized = Closure::<dyn FnMut()>::new({
        let moved = moved.clone();
        move || moved.emit(())
    });
    let observer = ResizeObserver::new(resized.as_ref().unchecked_ref()).ok()?;
    observer.observe(frame);
    // In the capture phase, so that what scrolls inside the page is heard too.
    let options = EventListenerOptions::run_in_capture_phase();
    let scrolled = EventListener::new_with_options(&window, "scroll", options, {
        let moved = moved.clone();
        move |_| moved.emit(())
    });
    let turned = EventListener::new(&window, "resize", move |_| moved.emit(()));
    Some(Watching {
        observer,
        _resized: resized,
        _scrolled: scrolled,
        _turned: turned,
    })
}
