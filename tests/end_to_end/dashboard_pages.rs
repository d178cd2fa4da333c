//! The pages of the dashboard in a real browser: what they say is so, what they do is done, and everybody can use them.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::script::{self, Script};
use ebbtide_tests::tools::{self, Tool};

/// All WebAssembly of the dashboard, as a web server would send it.
const WASM_BROTLI_BYTES_MAX: usize = 350_000;

#[test]
fn the_webassembly_of_the_dashboard_stays_small() -> Result<()> {
    if !tools::present(&[Tool::Node]) {
        return Ok(());
    }
    let folder = tools::web_assets().join("dashboard");
    let mut total = 0;
    for entry in fs::read_dir(&folder).context("the dashboard is not built")? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            let output = tools::node("browser/brotli.mjs").arg(&path).output()?;
            let bytes = String::from_utf8(output.stdout)?;
            total += bytes.trim().parse::<usize>()?;
        }
    }
    ensure!(total > 0, "there is no WebAssembly in {}", folder.display());
    ensure!(
        total <= WASM_BROTLI_BYTES_MAX,
        "the WebAssembly of the dashboard has {total} bytes"
    );
    Ok(())
}

fn show(name: &str) -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    script::run(script_for(name, &broker))
}

/// A script of `tests/node/browser`, told where the broker is.
fn script_for(name: &str, broker: &Broker) -> Command {
    let mut command = tools::node(&format!("browser/{name}.mjs"));
    command.arg(format!("http://{}", broker.http()));
    command.arg(format!("mqtt://{}", broker.mqtt()));
    command
}

#[test]
fn the_overview_says_how_the_broker_is_and_every_page_is_for_everybody() -> Result<()> {
    show("overview")
}

#[test]
fn a_stuck_session_is_found_explained_and_dealt_with() -> Result<()> {
    show("sessions")
}

#[test]
fn a_backlog_is_looked_into_and_what_loses_it_can_be_taken_back() -> Result<()> {
    show("backlog")
}

#[test]
fn pages_of_long_answers_say_what_is_shown() -> Result<()> {
    show("pagers")
}

#[test]
fn why_a_message_did_not_come_is_said_in_words() -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start_with(&["--queue-messages-per-session-max", "4"])?;
    script::run(script_for("why", &broker))
}

#[test]
fn every_page_is_used_with_the_keyboard_alone() -> Result<()> {
    show("keyboard")
}

#[test]
fn what_is_copied_pointed_at_and_searched_is_right_and_rare_places_are_for_everybody() -> Result<()>
{
    show("closer")
}

#[test]
fn client_identifiers_of_strangers_are_only_ever_text() -> Result<()> {
    show("strangers")
}

#[test]
fn ten_thousand_entries_are_scrolled_filtered_and_updated_without_a_long_task() -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let mut page = Script::start(script_for("many", &broker))?;
    page.expect("ready")?;
    page.tell("scroll")?;
    page.tell("search")?;
    page.tell("update")?;
    page.finish()
}

#[test]
fn a_thousand_entries_and_two_hundred_values_are_painted_soon() -> Result<()> {
    show("first_paint")
}
