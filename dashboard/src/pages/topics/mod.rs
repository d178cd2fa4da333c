//! The topics page: the live tree of what is published under a filter, and beside it the topic that is looked at.
//!
//! The filter and the selected topic are in the address. What has been seen stays for as long as the app runs.

mod delete;
mod detail;
mod keys;
mod row;
mod tree;
mod versions;

use std::rc::Rc;

use yew::prelude::*;

pub use self::detail::properties;
pub use self::row::preview;

use self::delete::DeleteBelow;
use self::detail::Detail;
use self::tree::TopicTree;
use crate::browser;
use crate::components::board_frame::{refused, stale_mark};
use crate::components::filter_field::FilterField;
use crate::components::page_head::page_head;
use crate::components::state_panel::{message, skeleton};
use crate::model::change::Phase;
use crate::model::connection::Link;
use crate::model::export;
use crate::model::format::count;
use crate::model::location::{FILTER, Location};
use crate::model::message::Message;
use crate::model::page::Page;
use crate::model::topics::{TOPICS_MAX, Topics, rows};
use crate::shell::{Shell, Step};
use crate::stores::TopicStore;

/// The parameter of the address that names the selected topic.
const TOPIC: &str = "topic";
const FILTER_DEFAULT: &str = "#";

pub fn page(shell: &Shell) -> Html {
    html! { <TopicsPage shell={shell.clone()} /> }
}

/// The topics page, with a topic selected.
pub fn location_of(topic: &str) -> Location {
    Location::new(Page::Topics).with(TOPIC, topic)
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub shell: Shell,
}

pub enum Msg {
    /// The store has something new.
    Changed,
    Select(String),
    AskToDelete(Option<String>),
    Export,
}

pub struct TopicsPage {
    store: TopicStore,
    /// Those of the last look at the tree, and what it was like then.
    rows: Rc<Vec<rows::Row>>,
    rows_of: Option<(u64, String)>,
    /// What would be deleted, while that is asked.
    deleting: Option<String>,
}

impl Component for TopicsPage {
    type Message = Msg;
    type Properties = Props;

    fn create(ctx: &Context<Self>) -> Self {
        let shell = &ctx.props().shell;
        let store = shell.stores.topics.clone();
        store.show_on(Some(ctx.link().callback(|()| Msg::Changed)));
        follow(&store, shell);
        let mut page = Self {
            store,
            rows: Rc::default(),
            rows_of: None,
            deleting: None,
        };
        page.look(ctx);
        page
    }

    fn changed(&mut self, ctx: &Context<Self>, _: &Props) -> bool {
        follow(&self.store, &ctx.props().shell);
        self.look(ctx);
        true
    }

    fn update(&mut self, ctx: &Context<Self>, msg: Msg) -> bool {
        let shell = &ctx.props().shell;
        match msg {
            Msg::Changed => self.look(ctx),
            Msg::Select(topic) => {
                let place = shell.location.clone().with(TOPIC, &topic);
                shell.go.emit((place, Step::Push));
                return false;
            }
            Msg::AskToDelete(topic) => self.deleting = topic,
            Msg::Export => {
                let topics = self.store.topics();
                let all = topics.tree.all();
                let newest: Vec<&Message> = all.iter().map(|topic| &*topic.newest).collect();
                browser::download("topics.jsonl", &export::json_lines(newest).into());
                return false;
            }
        }
        true
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let shell = &ctx.props().shell;
        let location = &shell.location;
        let filter = filter_of(location).to_owned();
        let on_filter = shell.go.reform({
            let location = location.clone();
            move |filter: String| (location.clone().with(FILTER, &filter), Step::Replace)
        });
        let topics = self.store.topics();
        let selected = location.get(TOPIC).map(str::to_owned);
        let has_selection = selected.is_some();
        let on_delete = ctx.link().callback(Msg::AskToDelete);
        html! {
            <section class="page topics-page" data-selected={has_selection.then_some("true")}
                data-stale={topics.stale_since_ms.map(|_| "true")}>
                { page_head(Page::Topics, stale_mark(topics.stale_since_ms, topics.tree.topics() == 0), html! { <FilterField id="topics-filter" filter={filter.clone()} on_change={on_filter} /> }) }
                <div class="topics-columns">
                    <div class="topics-left">
                        { self.tools(ctx, &topics) }
                        { self.tree_or_state(ctx, &topics, &filter) }
                    </div>
                    <div class="topics-right">
                        if let Some(topic) = selected {
                            { detail(shell, &topics, topic, &on_delete) }
                        } else {
                            <div class="panel topics-hint">
                                <h2>{ "No topic selected" }</h2>
                                <p class="lead">{ "Choose one to see its payload, its properties and what it said before." }</p>
                            </div>
                        }
                    </div>
                </div>
                if let Some(topic) = &self.deleting {
                    <DeleteBelow topic={topic.clone()} on_close={on_delete.reform(|()| None)} />
                }
            </section>
        }
    }

    fn destroy(&mut self, _: &Context<Self>) {
        self.store.show_on(None);
    }
}

impl TopicsPage {
    /// Counts the rows again where the tree, the search or what it finds is another.
    fn look(&mut self, ctx: &Context<Self>) {
        let search = ctx.props().shell.location.search();
        let tree = &mut self.store.topics_mut().tree;
        tree.search_for(search);
        let now = (tree.structure, search.to_owned());
        if self.rows_of.as_ref() != Some(&now) {
            self.rows = Rc::new(rows::rows(tree));
            self.rows_of = Some(now);
        }
    }

    fn tools(&self, ctx: &Context<Self>, topics: &Topics) -> Html {
        let known = topics.tree.topics();
        let on_export = ctx.link().callback(|_: MouseEvent| Msg::Export);
        html! {
            <div class="page-tools topics-tools">
                <p class="note">
                    <span class="count" data-testid="topic-count">{ count(known as u64) }</span>{ if known == 1 { " topic, " } else { " topics, " } }
                    <span class="count">{ count(topics.messages) }</span>{ if topics.messages == 1 { " message" } else { " messages" } }
                </p>
                if known > 0 {
                    <button type="button" class="button button-small" onclick={on_export}>{ "Export as JSON Lines" }</button>
                }
            </div>
        }
    }

    fn tree_or_state(&self, ctx: &Context<Self>, topics: &Topics, filter: &str) -> Html {
        let shell = &ctx.props().shell;
        if let Some(problem) = self.store.problem() {
            return message("This filter cannot be used", &problem, Html::default());
        }
        if let Phase::Refused(reason) = &topics.phase {
            return refused(shell, filter, reason);
        }
        if topics.tree.topics() == 0 {
            return match (&shell.connection.link, &topics.phase) {
                (Link::NeedsAuth { reason }, _) => message(
                    "This broker asks you to sign in",
                    &format!("It did not let this page in: {reason}."),
                    Html::default(),
                ),
                (_, Phase::Live) => message(
                    "Nothing here yet",
                    &format!(
                        "Each message under “{filter}” appears here as it is published. The publish page sends one."
                    ),
                    Html::default(),
                ),
                _ if shell.connection.lost_at_ms.is_some() => message(
                    "The broker cannot be reached",
                    "The tree fills as soon as the connection stands.",
                    Html::default(),
                ),
                _ => skeleton("topics"),
            };
        }
        if self.rows.is_empty() {
            let text = format!(
                "No topic and no payload matches “{}”.",
                shell.location.search()
            );
            return message("No match", &text, Html::default());
        }
        let over = (topics.over > 0).then(|| {
            format!(
                "{} topics are shown, and no more. {} messages were of others. Narrow the filter to see those.",
                count(TOPICS_MAX as u64),
                count(topics.over)
            )
        });
        html! {
            <>
                if let Some(over) = over {
                    <p class="note warning" role="status" data-testid="topics-over">{ over }</p>
                }
                <TopicTree store={self.store.clone()} rows={Rc::clone(&self.rows)} beat={topics.messages}
                    selected={shell.location.get(TOPIC).map(|topic| AttrValue::from(topic.to_owned()))}
                    on_select={ctx.link().callback(Msg::Select)}
                    on_changed={ctx.link().callback(|()| Msg::Changed)} />
            </>
        }
    }
}

fn detail(
    shell: &Shell,
    topics: &Topics,
    topic: String,
    on_delete: &Callback<Option<String>>,
) -> Html {
    let versions: Rc<[Rc<Message>]> = topics.versions(&topic).into();
    let node = topics.tree.find(&topic).map(|id| topics.tree.node(id));
    let known = node.and_then(|node| node.topic.as_ref());
    let is_retained = known.is_some_and(|topic| topic.is_retained);
    let messages = known.map_or(0, |topic| topic.messages);
    // Without the topic itself.
    let below = node.map_or(0, |node| node.topics - usize::from(node.topic.is_some()));
    let back = shell.location.clone().with(TOPIC, "");
    html! {
        <Detail key={topic.clone()} topic={topic.clone()} {versions} {is_retained} {messages} {below} {back} on_delete={on_delete.clone()} />
    }
}

/// Sees to it that the store has what the address asks for.
fn follow(store: &TopicStore, shell: &Shell) {
    let location = &shell.location;
    store.watch(shell.feed.as_deref(), filter_of(location));
    let selected = location.get(TOPIC);
    let mut topics = store.topics_mut();
    if topics.selected.as_deref() != selected {
        topics.selected = selected.map(Into::into);
        if let Some(topic) = selected {
            topics.tree.reveal(topic);
        }
    }
}

fn filter_of(location: &Location) -> &str {
    location.get(FILTER).unwrap_or(FILTER_DEFAULT)
}
