//! What the dashboard's tests publish: a believable fleet, 100 agents and 20 values, for it is in README's pictures too.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::{Value, json};

const SITES: [&str; 5] = ["aarhus", "bremen", "cork", "delft", "esbjerg"];
const KINDS: [&str; 5] = ["cart", "gate", "kiosk", "scale", "scanner"];
const OF_A_KIND: usize = 4;
const REASONS: [&str; 3] = ["battery empty", "left the network", "maintenance"];
const CREW: [&str; 7] = ["Ana", "Bo", "Chen", "Dara", "Emil", "Fatima", "Gus"];

/// How many agents there are.
pub const AGENTS: usize = SITES.len() * KINDS.len() * OF_A_KIND;
/// The one that the tests flip; it begins online.
pub const FLIPPED: &str = "presence/aarhus-cart-2";

/// Topic and payload of every agent.
pub fn presence() -> Result<Vec<(String, String)>> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut messages = Vec::with_capacity(AGENTS);
    for (row, site) in SITES.iter().enumerate() {
        for (column, kind) in KINDS.iter().enumerate() {
            for number in 1..=OF_A_KIND {
                let mixed = (row * 31 + column * 17 + number * 39) % 97;
                // Minutes to hours ago, none alike.
                let since_s = now_s - 60 * u64::try_from(3 + mixed * mixed % 900)?;
                let payload = if mixed % 9 == 4 {
                    json!({
                        "status": "offline",
                        "since": since_s,
                        "reason": REASONS[mixed % REASONS.len()],
                    })
                } else {
                    json!({
                        "status": "online",
                        "since": since_s,
                        "operator": CREW[mixed % CREW.len()],
                        "battery": format!("{} %", 23 + mixed * 29 % 75),
                    })
                };
                messages.push((
                    format!("presence/{site}-{kind}-{number}"),
                    payload.to_string(),
                ));
            }
        }
    }
    Ok(messages)
}

/// Topic and payload of every value.
pub fn config() -> Vec<(String, String)> {
    let values: [(&str, Value); VALUES] = [
        ("alerts/email", json!("night-shift@example.com")),
        (
            "alerts/quiet-hours",
            json!({"from": "22:00", "to": "06:00"}),
        ),
        ("cart/max-load", json!({"kilograms": 450, "warn_at": 0.9})),
        ("cart/speed-limit", json!(1.4)),
        ("checkout/currency", json!("EUR")),
        ("checkout/payment", json!(["card", "invoice", "cash"])),
        ("checkout/tax-rate", json!(0.19)),
        ("features/dark-aisles", json!(true)),
        ("features/new-picker", json!(false)),
        ("features/voice-prompts", json!(["da", "de", "en", "nl"])),
        ("gate/close-after", json!("90 s")),
        (
            "gate/open",
            json!({"weekdays": "05:30-23:00", "weekend": "07:00-20:00"}),
        ),
        ("kiosk/greeting", json!("Good to see you.")),
        ("kiosk/idle-after", json!(45)),
        ("network/keep-alive", json!(30)),
        ("network/server", json!("wss://hub.example/mqtt")),
        ("scale/calibrated", json!("2026-09-14")),
        ("scale/unit", json!("kg")),
        ("scanner/beep", json!(true)),
        ("scanner/retry", json!({"times": 3, "wait_ms": 250})),
    ];
    values
        .map(|(name, value)| (format!("config/{name}"), value.to_string()))
        .into()
}

/// How many values there are.
pub const VALUES: usize = 20;

/// What a page that shows all of it shows: the status of every agent, and every value.
pub fn expected() -> Result<Value> {
    let mut cards = serde_json::Map::new();
    for (topic, payload) in presence()? {
        let payload: Value = serde_json::from_str(&payload)?;
        cards.insert(topic, payload["status"].clone());
    }
    let values: serde_json::Map<String, Value> = config()
        .into_iter()
        .map(|(topic, payload)| (topic, Value::String(payload)))
        .collect();
    Ok(json!({ "cards": cards, "values": values }))
}
