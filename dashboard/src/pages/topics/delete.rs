//! Deleting the retained messages at and below a topic: first what it would be, then the deed, then a way back.

use yew::prelude::*;

use ebbtide_api::{DeleteRetainedResponse, Scope};

use crate::api;
use crate::components::dialog::Dialog;
use crate::components::topic_path::topic_path;
use crate::model::deletion::{self, messages};
use crate::retained;
use crate::shell::use_shell;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub topic: AttrValue,
    pub on_close: Callback<()>,
}

#[derive(Clone, PartialEq)]
enum Stage {
    Looking,
    Asked(DeleteRetainedResponse),
    Deleting,
    Failed(String),
}

#[component]
pub fn DeleteBelow(props: &Props) -> Html {
    let shell = use_shell();
    let may_read = shell.may(Scope::Read);
    let stage = use_state(|| Stage::Looking);
    let filter = format!("{}/#", props.topic);
    use_effect_with(filter.clone(), {
        let stage = stage.clone();
        move |filter: &String| {
            let filter = filter.clone();
            wasm_bindgen_futures::spawn_local(async move {
                stage.set(match api::retained::delete_matching(&filter, true).await {
                    Ok(preview) => Stage::Asked(preview),
                    Err(reason) => Stage::Failed(reason),
                });
            });
        }
    });
    let on_delete = {
        let (stage, on_close) = (stage.clone(), props.on_close.clone());
        Callback::from(move |_: MouseEvent| {
            stage.set(Stage::Deleting);
            let (shell, stage, on_close, filter) = (
                shell.clone(),
                stage.clone(),
                on_close.clone(),
                filter.clone(),
            );
            wasm_bindgen_futures::spawn_local(async move {
                match api::retained::delete_matching(&filter, false).await {
                    Ok(deleted) => {
                        on_close.emit(());
                        let text = deletion::done(&deleted);
                        let back = messages(deleted.deleted.len() as u64);
                        let back = format!("Brought back {back}.");
                        let notice = retained::deleted_notice(&shell, text, deleted, back);
                        shell.notify.emit(notice);
                    }
                    Err(reason) => stage.set(Stage::Failed(reason)),
                }
            });
        })
    };
    let on_cancel = props.on_close.reform(|_: MouseEvent| ());
    let (body, delete) = match &*stage {
        Stage::Looking => (
            html! { <p class="lead" role="status">{ "Looking what that would be…" }</p> },
            None,
        ),
        Stage::Deleting => (
            html! { <p class="lead" role="status">{ "Deleting…" }</p> },
            None,
        ),
        Stage::Failed(reason) => (
            html! { <p class="lead problem" role="alert">{ reason.clone() }</p> },
            None,
        ),
        Stage::Asked(preview) => (
            self::preview(preview, may_read),
            Some(preview.count).filter(|count| *count > 0),
        ),
    };
    html! {
        <Dialog id="delete-retained" title="Delete retained messages" on_close={props.on_close.clone()}>
            <p class="dialog-topic">{ topic_path(&props.topic) }{ " and all below it" }</p>
            { body }
            <div class="dialog-actions">
                <button type="button" class="button" onclick={on_cancel}>{ "Cancel" }</button>
                if let Some(count) = delete {
                    <button type="button" class="button button-primary button-danger" onclick={on_delete} data-testid="delete-now">
                        { format!("Delete {}", messages(count)) }
                    </button>
                }
            </div>
        </Dialog>
    }
}

fn preview(preview: &DeleteRetainedResponse, may_read: bool) -> Html {
    let rest = preview.count.saturating_sub(preview.topics.len() as u64);
    let topics = preview
        .topics
        .iter()
        .map(|topic| html! { <li>{ topic_path(topic) }</li> });
    let notes = deletion::notes(preview);
    let notes = notes
        .into_iter()
        .map(|note| html! { <p class="note">{ note }</p> });
    html! {
        <>
            <p class="lead" role="status" data-testid="delete-preview">{ deletion::outlook(preview, may_read) }</p>
            if !preview.topics.is_empty() {
                <ul class="dialog-list" tabindex="0" aria-label="What would be deleted">
                    { for topics }
                    if rest > 0 {
                        <li class="note">{ format!("and {rest} more") }</li>
                    }
                </ul>
            }
            { for notes }
        </>
    }
}
