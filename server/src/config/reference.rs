//! The reference of all options, made from their definition; `docs/configuration.md` is its output.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command};

use super::{
    Reload,
    file::{self, Section},
};

/// A file in which every key stands; error messages quote it.
const EXAMPLE: &str = r#"mqtt = "127.0.0.1:1883"
http = "127.0.0.1:8080"
mqtts = "127.0.0.1:8883"
https = "127.0.0.1:8443"
tls_certificate = "certificate.pem"
tls_key = "key.pem"
tls_client_ca = "client-authorities.pem"
tls_client_certificates = "required"
tls_client_crl = "revoked.pem"
trusted_proxies = ["10.0.0.0/8"]
proxy_protocol = false
mqtt_durability = "durable"
http_durability = "durable"
relaxed_commit_ms = 100
data_dir = "./ebbtide-data"
disk_reserve_bytes = 67108864
ephemeral = false
allow_anonymous = false
auth = ["password"]
certificate_user = "common_name"
certificate_known_users = false
allow_host = ["broker.example"]
allow_origin = ["https://app.example", "http://localhost:5173"]
server_reference = "other.example:1883"
presence_topic = "presence/{client}"
presence_offline_expiry_s = 604800
sys_interval = 10
log = "info,ebbtide=debug"
log_format = "text"

[limits]
connections_max = 100000
connections_per_address_max = 10000
connect_rate_per_address_max = 1000
connections_per_user_max = 100000
maximum_packet_size = 16777216
connect_packet_size_max = 1048576
receive_maximum = 1024
topic_alias_maximum = 64
publish_rate_max = 0
topic_bytes_max = 65535
topic_levels_max = 1024
subscriptions_per_session_max = 20000
subscription_bytes_per_session_max = 134217728
session_expiry_interval_max = 4294967295
queue_messages_per_session_max = 1000000
queue_bytes_per_session_max = 4294967296
queue_overflow = "drop_oldest"
queue_messages_max = 10000000
queue_bytes_max = 68719476736
retained_messages_max = 10000000
retained_bytes_max = 4294967296
sessions_per_user_max = 1000000
outgoing_bytes_max = 4194304
back_pressure_bytes = 262144
back_pressure_ms_max = 500
replies_max = 65536
uncommitted_bytes_max = 4194304
journal_bytes_max = 67108864
memory_bytes_max = 0
connect_deadline_ms = 10000
keep_alive_s_max = 0

[[users]]
name = "ann"
password = "only at the first start"
scopes = ["read"]

[[rules]]
effect = "allow"
who = { user = "ann" }
actions = ["publish", "subscribe"]
topics = ["app/{user}/#"]
"#;

/// How a key looks in the file.
pub(super) fn example(key: &str) -> Option<&'static str> {
    EXAMPLE
        .lines()
        .find(|line| line.split(' ').next() == Some(key))
}

/// The page, as Markdown; `codes` are the exit codes with what they mean.
pub fn reference(command: &Command, codes: &[(i32, &str)]) -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Made by `ebbtide config reference`; do not edit. -->\n\n\
         A flag beats the environment, the environment beats the file `ebbtide.toml` (another one: `--config FILE` or \
         `EBBTIDE_CONFIG`).\n`ebbtide config check` says what is wrong, or what would be used. An environment variable \
         that is empty counts as not set.\n\n\
         SIGHUP reads the file again while the broker runs, and nobody is disconnected; the log says what has changed. Each option says when a change \
         holds. `[[jwt]]` is read again too, with the files of its keys; `[[users]]` and `[[rules]]` are for the first start only \
         ([security.md](security.md)). What a method of `auth` stands on, its `[[jwt]]` or `tls_client_ca`, stays as long as the method: until a restart. \
         A file with a mistake changes nothing, nor does one that cannot be used together with what waits for a restart. (A broker whose terminal \
         is closed ends.)\n\n\
         A file with every key; each may be left out:\n\n```toml\n",
    );
    page.push_str(EXAMPLE);
    page.push_str("```\n");
    describe(&mut page, command, Section::Top);
    page.push_str(
        "\n## Limits\n\nThese stand in the file below `[limits]`, each a whole number but for `queue_overflow`. What a limit keeps out is answered with \
         its reason code, or counted.\n",
    );
    describe(&mut page, command, Section::Limits);
    page.push_str("\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n");
    for (code, meaning) in codes {
        let _ = writeln!(page, "| {code} | {meaning} |");
    }
    page
}

fn describe(page: &mut String, command: &Command, section: Section) {
    for key in file::keys(command, section) {
        let arguments = command.get_arguments();
        if let Some(argument) = arguments.into_iter().find(|found| found.get_id() == key) {
            page.push_str(&option(argument, section));
        }
    }
}

fn option(argument: &Arg, section: Section) -> String {
    let help = argument
        .get_long_help()
        .or(argument.get_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    let variable = argument
        .get_env()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let flag = argument.get_long().unwrap_or_default();
    let value = argument
        .get_value_names()
        .and_then(|names| names.first())
        .map_or("", |name| name.as_str());
    let is_optional = argument
        .get_num_args()
        .is_some_and(|count| count.min_values() == 0);
    let value = if is_optional {
        format!("[={value}]")
    } else {
        format!(" {value}")
    };
    let key = argument.get_id();
    let level = match section {
        Section::Top => "##",
        Section::Limits => "###",
    };
    let mut text =
        format!("\n{level} `{key}`\n\n{help}.\n\nFlag `--{flag}{value}`, environment `{variable}`");
    let reload = argument
        .get::<Reload>()
        .map(|reload| format!(" A change holds {reload}."));
    let reload = reload.unwrap_or_default();
    let choices = argument.get_possible_values();
    if section == Section::Limits && choices.is_empty() {
        return format!("{text}.{reload}\n");
    }
    let is_bool = choices.iter().any(|choice| choice.get_name() == "true");
    let is_list = matches!(argument.get_action(), ArgAction::Append);
    if is_list {
        text.push_str(" (several: separated by commas)");
    }
    let is_number = example(key.as_str()).is_some_and(|line| line.ends_with(char::is_numeric));
    let kind = match (is_list, is_bool, is_number) {
        (true, ..) => "an array of strings",
        (_, true, _) => "a boolean",
        (.., true) => "a whole number",
        _ => "a string",
    };
    // Writing to a string cannot fail.
    let _ = write!(text, ", in the file {kind}.");
    if is_bool {
        let _ = write!(text, " `--{flag}` alone is `--{flag}=true`.");
    } else if !choices.is_empty() {
        let names: Vec<String> = choices
            .iter()
            .map(|choice| format!("`{}`", choice.get_name()))
            .collect();
        let _ = write!(text, " One of: {}.", names.join(", "));
    }
    text + &reload + "\n"
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::{
        cli::Cli,
        config::{Config, Options},
        exit,
    };

    #[test]
    fn the_example_is_valid_and_whole() {
        let options: Options = toml::from_str(EXAMPLE).expect("valid TOML");
        Config::resolve(options).expect("a valid configuration");
        let command = Cli::command();
        let sections = [Section::Top, Section::Limits].into_iter();
        for key in sections.flat_map(|section| file::keys(&command, section)) {
            assert!(example(key).is_some(), "{key}");
        }
    }

    #[test]
    fn the_page_says_how_each_value_is_written() {
        let page = reference(&Cli::command(), exit::CODES);
        for part in [
            "Flag `--mqtt ADDR`, environment `EBBTIDE_MQTT`, in the file a string. A change holds after a restart.",
            "Flag `--ephemeral[=BOOL]`, environment `EBBTIDE_EPHEMERAL`, in the file a boolean.",
            "`EBBTIDE_ALLOW_HOST` (several: separated by commas), in the file an array of strings.",
            "One of: `text`, `json`.",
            "| 130 | ",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }
}
