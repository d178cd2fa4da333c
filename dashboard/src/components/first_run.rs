//! An empty board: what belongs here, and three ways to put the first entry on it.

use yew::prelude::*;

use super::code_line::code_line;
use crate::browser;
use crate::model::filter::example_topic;
use crate::model::page::Page;
use crate::sample;
use crate::shell::use_shell;

struct Words {
    title: &'static str,
    lead: &'static str,
    name: &'static str,
    json: &'static str,
    /// The same in JavaScript.
    object: &'static str,
}

const PRESENCE: Words = Words {
    title: "Nobody here yet",
    lead: "A client is on this board as soon as it publishes a retained message that says so. Try one of these:",
    name: "ana",
    json: r#"{"status":"online"}"#,
    object: "{\n  status: 'online',\n  since: new Date().toISOString(),\n}",
};

const CONFIG: Words = Words {
    title: "Nothing configured yet",
    lead: "Each retained message is a setting: whoever subscribes gets it at once, and every change as it happens.",
    name: "lamp",
    json: r#"{"on":true,"level":80}"#,
    object: "{ on: true, level: 80 }",
};

#[derive(Properties, PartialEq)]
pub struct FirstRunProps {
    pub page: Page,
    pub filter: AttrValue,
}

#[component]
pub fn FirstRun(props: &FirstRunProps) -> Html {
    let shell = use_shell();
    let Words {
        title,
        lead,
        name,
        json,
        object,
    } = match props.page {
        Page::Config => CONFIG,
        _ => PRESENCE,
    };
    let host = browser::host_name();
    let url = browser::broker_url();
    let topic = example_topic(&props.filter, name);
    let quoted = shell_quoted(&topic);
    let command = format!("mosquitto_pub -h {host} -q 1 -r -t {quoted} \\\n  -m '{json}'");
    let topic_js = js_quoted(&topic);
    let script = format!(
        "import {{ connect }} from 'ebbtide';\n\nconst client = connect('{url}');\nclient.publish({topic_js}, {object}, {{ qos: 1, retain: true }});"
    );
    let online = shell.connection.is_online();
    let onclick = {
        let (page, filter) = (props.page, props.filter.clone());
        Callback::from(move |_: MouseEvent| sample::publish(&shell, page, &filter))
    };
    let testid = match props.page {
        Page::Config => "config-empty",
        _ => "presence-empty",
    };
    html! {
        <div class="panel first-run" data-testid={testid}>
            <h2>{ title }</h2>
            <p class="lead">{ lead }</p>
            <ol class="ways">
                <li>
                    <h3>{ "From this page" }</h3>
                    <button type="button" class="button button-primary" disabled={!online} {onclick}>
                        { "Publish a sample" }
                    </button>
                </li>
                <li>
                    <h3>{ "From a terminal" }</h3>
                    { code_line(&command, "the command for a terminal") }
                </li>
                <li>
                    <h3>{ "From JavaScript" }</h3>
                    { code_line(&script, "the JavaScript") }
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
