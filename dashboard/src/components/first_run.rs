//! An empty board: what belongs here, and three ways to put the first entry on it.

use ebbtide_api::Scope;
use yew::prelude::*;

use super::code_line::code_line;
use super::needs::needs;
use crate::browser;
use crate::model::filter::example_topic;
use crate::model::page::Page;
use crate::sample;
use crate::shell::Shell;

struct Words {
    title: &'static str,
    lead: &'static str,
    /// For the terminal and for JavaScript.
    names: [&'static str; 2],
    json: &'static str,
    /// In JavaScript, with `URL` and `TOPIC` in their places. Who is there is there by a will: nobody stays online for ever.
    script: &'static str,
}

const PRESENCE: Words = Words {
    title: "Nobody here yet",
    lead: "A client is on this board as soon as a retained message says so. Try one of these:",
    names: ["ana", "bo"],
    json: r#"{"status":"online"}"#,
    script: "const client = connect('URL', {\n  presence: { topic: TOPIC },\n});",
};

const CONFIG: Words = Words {
    title: "Nothing configured yet",
    lead: "Each retained message is a setting: whoever subscribes gets it at once, and every change as it happens.",
    names: ["lamp", "door"],
    json: r#"{"on":true,"level":80}"#,
    script: "const client = connect('URL');\nclient.publish(TOPIC, {\n  on: true,\n  level: 80,\n}, { qos: 1, retain: true });",
};

/// `has` says whether the board shows a topic: a way that was tried says so. `has_entries`: it is not empty any more.
pub fn first_run(
    shell: &Shell,
    page: Page,
    filter: &str,
    has_entries: bool,
    has: &dyn Fn(&str) -> bool,
) -> Html {
    let words = match page {
        Page::Config => CONFIG,
        _ => PRESENCE,
    };
    let ways = Ways::new(filter, &words);
    let (title, lead) = if has_entries {
        (
            "It works",
            "What is published appears at once, here and for everybody who has subscribed. The other ways:",
        )
    } else {
        (words.title, words.lead)
    };
    let can_publish = shell.connection.is_online() && shell.may(Scope::Publish);
    let onclick = {
        let (shell, filter) = (shell.clone(), filter.to_owned());
        Callback::from(move |_: MouseEvent| sample::publish(&shell, page, &filter))
    };
    let testid = match page {
        Page::Config => "config-empty",
        _ => "presence-empty",
    };
    let way = |title: &'static str, topic: &str, how: Html| {
        let tried = has(topic);
        html! {
            <li data-tried={tried.then_some("true")}>
                <h3>{ title }if tried { <span class="tried">{ "Done" }</span> }</h3>
                { how }
            </li>
        }
    };
    let sample = html! {
        <>
            <button type="button" class="button button-primary" disabled={!can_publish} {onclick}>{ "Publish a sample" }</button>
            { needs(shell, Scope::Publish) }
        </>
    };
    html! {
        <div class="panel first-run" data-testid={testid}>
            <h2>{ title }</h2>
            <p class="lead">{ lead }</p>
            <ol class="ways">
                { way("From this page", &sample::topic(filter), sample) }
                { way("From a terminal", &ways.terminal_topic, code_line(&ways.command, "Shell", "the command for a terminal")) }
                { way("From JavaScript", &ways.script_topic, code_line(&ways.script, "JavaScript", "the JavaScript")) }
            </ol>
        </div>
    }
}

/// Whether each way has been tried.
pub fn is_done(page: Page, filter: &str, has: &dyn Fn(&str) -> bool) -> bool {
    let words = match page {
        Page::Config => CONFIG,
        _ => PRESENCE,
    };
    let ways = Ways::new(filter, &words);
    has(&sample::topic(filter)) && has(&ways.terminal_topic) && has(&ways.script_topic)
}

/// Each with a topic of its own, so that the board shows which was tried.
struct Ways {
    terminal_topic: String,
    command: String,
    script_topic: String,
    script: String,
}

impl Ways {
    fn new(filter: &str, words: &Words) -> Self {
        let Words { json, script, .. } = words;
        let (host, url) = (browser::host_name(), browser::broker_url());
        let [terminal_topic, script_topic] = words.names.map(|name| example_topic(filter, name));
        let quoted = shell_quoted(&terminal_topic);
        let command =
            format!("mosquitto_pub -h {host} -q 1 -r \\\n  -t {quoted} \\\n  -m '{json}'");
        let quoted = js_quoted(&script_topic);
        let script = script.replace("URL", &url).replace("TOPIC", &quoted);
        let script = format!("import {{ connect }} from 'ebbtide';\n\n{script}");
        Self {
            terminal_topic,
            command,
            script_topic,
            script,
        }
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
