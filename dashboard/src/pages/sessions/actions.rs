//! What an operator can do to a session. Each asks once, and says what it did or why it was not done.

use std::future::Future;

use ebbtide_api::Session;
use yew::prelude::*;

use crate::api::{self, Fault};
use crate::components::confirm::ConfirmButton;
use crate::components::toast::Notice;
use crate::model::format::counted;
use crate::model::location::Location;
use crate::model::page::Page;
use crate::model::session::purge_question;
use crate::shell::{Shell, Step};

/// `refresh` asks for the session anew.
pub fn actions(shell: &Shell, session: &Session, refresh: &Callback<()>) -> Html {
    let client_id = session.client_id.clone();
    let told = {
        let (notify, refresh) = (shell.notify.clone(), refresh.clone());
        Callback::from(move |text: String| {
            notify.emit(Notice::new(text));
            refresh.emit(());
        })
    };
    let purge = act(&told, &client_id, |client_id| async move {
        let done = api::purge(&client_id).await?;
        let purged = counted(done.purged, "message");
        Ok(format!("Dropped {purged} that waited for {client_id}."))
    });
    let disconnect = act(&told, &client_id, |client_id| async move {
        api::disconnect(&client_id).await?;
        Ok(format!(
            "Disconnected {client_id}. It may come back at once."
        ))
    });
    let go = shell.go.clone();
    let delete = act(&told, &client_id, move |client_id| {
        let go = go.clone();
        async move {
            api::delete_session(&client_id).await?;
            go.emit((Location::new(Page::Sessions), Step::Push));
            Ok(format!("Deleted the session of {client_id}."))
        }
    });
    let disconnect_question = format!(
        "End the connection of {client_id}? Its will is published and its session stays. The client may come back at once."
    );
    let delete_question = format!(
        "Delete the session of {client_id}? Its {} and all that waits for it are lost, and its connection ends.",
        counted(session.subscriptions, "subscription")
    );
    html! {
        <div class="actions">
            <ConfirmButton id="ask-disconnect" label="Disconnect" question={disconnect_question} yes="Disconnect"
                disabled={!session.connected} on_yes={disconnect} />
            <ConfirmButton id="ask-purge" label="Purge queue" question={purge_question(session)} yes="Drop them"
                disabled={session.queue_messages == 0} on_yes={purge} />
            <ConfirmButton id="ask-delete" label="Delete session" question={delete_question} yes="Delete" on_yes={delete} />
        </div>
    }
}

/// Does it, and tells what came of it.
fn act<F, A>(told: &Callback<String>, client_id: &str, action: F) -> Callback<()>
where
    F: Fn(String) -> A + 'static,
    A: Future<Output = Result<String, Fault>> + 'static,
{
    let (told, client_id) = (told.clone(), client_id.to_owned());
    Callback::from(move |()| {
        let (told, done) = (told.clone(), action(client_id.clone()));
        wasm_bindgen_futures::spawn_local(async move {
            let text = done
                .await
                .unwrap_or_else(|fault| format!("It was not done. {fault}"));
            told.emit(text);
        });
    })
}
