//! An empty board: what belongs here, and three ways to put the first entry on it.

use yew::prelude::*;

use super::code_line::CodeLine;
use crate::browser;
use crate::model::filter::example_topic;
use crate::model::link::Pane;

#[derive(Properties, PartialEq)]
pub struct FirstRunProps {
    pub pane: Pane,
    pub filter: AttrValue,
    pub online: bool,
    pub on_sample: Callback<()>,
}

#[component]
pub fn FirstRun(props: &FirstRunProps) -> Html {
    let (title, lead, name, json, object) = match props.pane {
        Pane::Presence => (
            "Nobody here yet",
            "A client is on this board as soon as it publishes a retained message that says so. Try one of these:",
            "ana",
            r#"{"status":"online"}"#,
            "{\n  status: 'online',\n  since: new Date().toISOString(),\n}",
        ),
        Pane::Config => (
            "Nothing configured yet",
            "Each retained message is a setting: whoever subscribes gets it at once, and every change as it happens.",
            "lamp",
            r#"{"on":true,"level":80}"#,
            "{ on: true, level: 80 }",
        ),
    };
    let host = browser::host_name();
    let url = browser::broker_url();
    let topic = example_topic(&props.filter, name);
    let shell = shell_quoted(&topic);
    let command = format!("mosquitto_pub -h {host} -q 1 -r -t {shell} \\\n  -m '{json}'");
    let topic_js = js_quoted(&topic);
    let script = format!(
        "import {{ connect }} from 'ebbtide';\n\nconst client = connect('{url}');\nclient.publish({topic_js}, {object}, {{ qos: 1, retain: true }});"
    );
    let onclick = props.on_sample.reform(|_: MouseEvent| ());
    let testid = match props.pane {
        Pane::Presence => "presence-empty",
        Pane::Config => "config-empty",
    };
    html! {
        <div class="panel first-run" data-testid={testid}>
            <h3>{ title }</h3>
            <p class="lead">{ lead }</p>
            <ol class="ways">
                <li>
                    <h4>{ "From this page" }</h4>
                    <button type="button" class="button button-primary" disabled={!props.online} {onclick}>
                        { "Publish a sample" }
                    </button>
                </li>
                <li>
                    <h4>{ "From a terminal" }</h4>
                    <CodeLine code={command} label="The command for a terminal" />
                </li>
                <li>
                    <h4>{ "From JavaScript" }</h4>
                    <CodeLine code={script} label="The JavaScript" />
                </li>
            </ol>
        </div>
    }
}

/// In single quotes, for a shell.
fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// In single quotes, for JavaScript.
fn js_quoted(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('\'', r"\'");
    format!("'{}'", text.replace('\n', r"\n").replace('\r', r"\r"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_survive_the_quotes_of_shell_and_script() {
        assert_eq!(shell_quoted("presence/ana"), "presence/ana");
        assert_eq!(shell_quoted("a b/$x'"), r"'a b/$x'\'''");
        assert_eq!(js_quoted("it's\\"), r"'it\'s\\'");
    }
}
