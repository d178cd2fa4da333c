//! What an operator can do to a session. Each asks once, and says what it did or why it was not done.
//!
//! The broker takes nothing back that it has dropped. So what loses something is announced, and sent to the broker only when
//! the announcement ends: until then it can be taken back.

use ebbtide_api::{Scope, Session};
use yew::prelude::*;

use super::CLIENT;
use crate::api::{self, Fault};
use crate::browser;
use crate::components::confirm::ConfirmButton;
use crate::components::needs::needs;
use crate::components::toast::Notice;
use crate::model::format::counted;
use crate::model::location::Location;
use crate::model::name;
use crate::model::page::Page;
use crate::model::session::{delete_question, disconnect_question, lost, purge_question, waiting};
use crate::shell::{Shell, Step};

const IN_A_MOMENT: &str =
    "For ten seconds, or until this page is left, it can be taken back. Then it is lost for good.";

#[derive(Clone, Copy)]
enum Action {
    Disconnect,
    Purge,
    Delete,
}

/// What an action is done to, and where its outcome goes.
#[derive(Clone)]
struct Subject {
    client_id: String,
    /// The client identifier, for people.
    client: String,
    /// What goes with the session.
    lost: String,
    notify: Callback<Notice>,
    go: Callback<(Location, Step)>,
    refresh: Callback<()>,
}

/// `refresh` asks for the session anew.
pub fn actions(shell: &Shell, session: &Session, refresh: &Callback<()>) -> Html {
    let subject = Subject {
        client_id: session.client_id.clone(),
        client: name::shown(&session.client_id),
        lost: lost(session),
        notify: shell.notify.clone(),
        go: shell.go.clone(),
        refresh: refresh.clone(),
    };
    let client = &subject.client;
    let waiting = waiting(session.queue_messages);
    let purge = subject.announced(
        Action::Purge,
        format!("Dropping {waiting} for {client}."),
        format!("Nothing was dropped: {client} keeps its messages."),
    );
    let delete = subject.announced(
        Action::Delete,
        format!("Deleting the session of {client}."),
        format!("Nothing was deleted: {client} keeps its session."),
    );
    let disconnect = Callback::from(move |()| subject.clone().act(Action::Disconnect));
    let may = shell.may(Scope::Admin);
    html! {
        <div class="actions">
            { needs(shell, Scope::Admin) }
            <ConfirmButton id="ask-disconnect" label="Disconnect" question={disconnect_question(session)} yes="Disconnect"
                outlook="The client may come back at once." disabled={!may || !session.connected} on_yes={disconnect} />
            <ConfirmButton id="ask-purge" label="Purge queue" question={purge_question(session)} yes="Drop them" is_dangerous={true}
                outlook={IN_A_MOMENT} disabled={!may || session.queue_messages == 0} on_yes={purge} />
            <ConfirmButton id="ask-delete" label="Delete session" question={delete_question(session)} yes="Delete" is_dangerous={true}
                outlook={IN_A_MOMENT} disabled={!may} on_yes={delete} />
        </div>
    }
}

impl Subject {
    /// Says what is about to be done, and does it when that notice ends.
    fn announced(&self, action: Action, text: String, undone: String) -> Callback<()> {
        let subject = self.clone();
        Callback::from(move |()| {
            let (notify, undone) = (subject.notify.clone(), undone.clone());
            let undone = Callback::from(move |()| notify.emit(Notice::new(undone.clone())));
            let acting = subject.clone();
            let notice = Notice::before(text.clone(), move || acting.act(action), undone);
            subject.notify.emit(notice);
        })
    }

    /// Does it, and tells what came of it.
    fn act(self, action: Action) {
        browser::begin(async move {
            let outcome = self.outcome(action).await;
            let text = outcome.unwrap_or_else(|fault| format!("It was not done. {fault}"));
            self.notify.emit(Notice::new(text));
            self.refresh.emit(());
        });
    }

    async fn outcome(&self, action: Action) -> Result<String, Fault> {
        let (client_id, client) = (&self.client_id, &self.client);
        match action {
            Action::Disconnect => {
                api::disconnect(client_id).await?;
                Ok(format!("Disconnected {client}. It may come back at once."))
            }
            Action::Purge => {
                let purged = counted(api::purge(client_id).await?.purged, "message");
                Ok(format!("Dropped {purged} that waited for {client}."))
            }
            Action::Delete => {
                api::delete_session(client_id).await?;
                if is_shown(client_id) {
                    self.go.emit((Location::new(Page::Sessions), Step::Push));
                }
                let lost = &self.lost;
                Ok(format!("Deleted the session of {client}: {lost}."))
            }
        }
    }
}

/// Whether the viewer still looks at this session.
fn is_shown(client_id: &str) -> bool {
    let (path, query) = browser::address();
    let place = Location::parse(&path, &query);
    place.is_some_and(|place| place.get(CLIENT) == Some(client_id))
}
