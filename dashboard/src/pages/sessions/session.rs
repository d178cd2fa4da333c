//! One session in full: what it is, what can be done about it, why a message did not arrive, and what waits for it.

use yew::prelude::*;

use super::actions::actions;
use super::facts::facts;
use super::queue::Queue;
use super::subscriptions::Subscriptions;
use super::why::WhyNot;
use crate::api::{self, use_polled};
use crate::components::copy_button::CopyButton;
use crate::components::link::PageLink;
use crate::components::state_panel::{message, rows_skeleton};
use crate::model::location::Location;
use crate::model::name;
use crate::model::page::Page;
use crate::shell::use_shell;

const ASKED_EVERY_MS: u32 = 2_000;

#[derive(Properties, PartialEq)]
pub struct SessionViewProps {
    pub client_id: AttrValue,
}

#[component]
pub fn SessionView(props: &SessionViewProps) -> Html {
    let shell = use_shell();
    let client_id = &props.client_id;
    let polled = use_polled(client_id.clone(), ASKED_EVERY_MS, |client_id| {
        api::session(&client_id)
    });
    let is_stale = polled.fault.is_some() || !shell.connection.is_online();
    let back = Location::new(Page::Sessions);
    let body = match (&polled.value, &polled.fault) {
        (None, None) => rows_skeleton(),
        (None, Some(fault)) if !fault.is_not_found() => message(
            "The session is not known",
            &fault.to_string(),
            Html::default(),
        ),
        (_, Some(fault)) if fault.is_not_found() => {
            let text = "The broker has no session of this client id: it has ended, or there never was one.";
            let all =
                html! { <PageLink to={back.clone()} class="button">{ "All sessions" }</PageLink> };
            message("No such session", text, all)
        }
        (Some(session), fault) => html! {
            <>
                if let Some(fault) = fault {
                    <p class="note" role="status">{ format!("{fault} What is shown may have been overtaken.") }</p>
                }
                { facts(session) }
                <WhyNot client_id={client_id.clone()} />
                <Queue client_id={client_id.clone()} waiting={session.queue_messages + session.in_flight} />
                <Subscriptions client_id={client_id.clone()} count={session.subscriptions} />
            </>
        },
        (None, Some(_)) => Html::default(),
    };
    // An answer that failed takes nothing away: neither the buttons nor a question that is being answered.
    let is_gone = polled
        .fault
        .as_ref()
        .is_some_and(|fault| fault.is_not_found());
    let known = polled.value.as_ref().filter(|_| !is_gone);
    html! {
        <section class="page" data-stale={is_stale.then_some("true")} data-testid="session">
            <div class="page-head">
                <div class="page-title page-title-of">
                    <nav aria-label="Above"><PageLink to={back.clone()} class="crumb">{ "Sessions" }</PageLink></nav>
                    <div class="session-name">
                        <h1><bdi>{ name::shown(client_id) }</bdi></h1>
                        <CopyButton text={client_id.clone()} label="the client id" />
                    </div>
                </div>
                if let Some(session) = known {
                    { actions(&shell, session, &polled.refresh) }
                }
            </div>
            { body }
        </section>
    }
}
