//! `ebbtide pub`: one message, or one for each line of standard input; done when the broker has acknowledged them.

use std::collections::VecDeque;

use bytes::Bytes;
use clap::{ArgAction, ArgGroup, Args};
use ebbtide_client::{Client, State, Submitted, message};
use ebbtide_protocol::{Version, packet::MessageProperties};

use super::{
    Deadline, MqttError, asked_to_end,
    connect::{Connection, Prepared, qos},
    goodbye, lines,
    payload::{GROUP, PayloadFlags, standard_input},
    properties::{MessageFlags, topic_name},
    run,
};
use crate::exit::Failure;

/// Publishes without an acknowledgement, at most.
const WINDOW: usize = 256;

/// What may be typed.
#[derive(Args, Clone, Debug)]
#[command(disable_help_flag = true, group(ArgGroup::new(GROUP).required(true)))]
pub struct Publish {
    /// The topic.
    #[arg(short, long, value_name = "TOPIC")]
    topic: Option<String>,

    #[command(flatten)]
    payload: PayloadFlags,

    /// The payload is all of standard input.
    #[arg(short = 's', long, group = GROUP)]
    stdin_file: bool,

    /// Each line of standard input is a message.
    #[arg(short = 'l', long, group = GROUP)]
    stdin_line: bool,

    /// An empty payload; with --retain it deletes the retained message.
    #[arg(short, long, group = GROUP)]
    null_message: bool,

    /// 1: at least once, 2: exactly once, 0: at most once, and nobody says whether it has arrived.
    #[arg(short, long, value_name = "QOS", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,

    /// The broker keeps it for later subscribers.
    #[arg(short, long)]
    retain: bool,

    #[command(flatten)]
    properties: MessageFlags,

    #[command(flatten)]
    connection: Connection,

    /// Prints this.
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// What is published.
enum Payloads {
    One(Bytes),
    Lines,
}

impl Publish {
    /// Publishes, and waits for the acknowledgements.
    pub fn run(self) -> Result<(), Failure> {
        Ok(self.publish()?)
    }

    fn publish(self) -> Result<(), MqttError> {
        let payloads = if let Some(payload) = self.payload.read()? {
            Payloads::One(payload)
        } else if self.stdin_file {
            Payloads::One(standard_input()?)
        } else if self.stdin_line {
            Payloads::Lines
        } else {
            Payloads::One(Bytes::new())
        };
        let mut properties = self.properties.properties()?;
        let has_flags = properties != MessageProperties::default();
        let prepared = self.connection.prepare(None, Some(&mut properties))?;
        if has_flags && prepared.version != Version::V5 {
            return Err(MqttError::Typed(
                "only MQTT 5 has properties: leave out -V, or the properties".to_owned(),
            ));
        }
        let topic = self.topic.or(prepared.place.topic.clone());
        let topic =
            topic.ok_or_else(|| MqttError::Typed("say where to: --topic TOPIC".to_owned()))?;
        // Looked at before anything is sent.
        topic_name("--topic", topic.clone())?;
        let template = Template {
            topic,
            qos: self.qos,
            retain: self.retain,
            properties,
        };
        run(send(prepared, template, payloads))
    }
}

/// What all messages have in common.
struct Template {
    topic: String,
    qos: u8,
    retain: bool,
    properties: MessageProperties,
}

/// Publishes under way, in their order.
struct Window {
    client: Client,
    template: Template,
    waiting: VecDeque<Submitted>,
    done: u64,
}

async fn send(prepared: Prepared, template: Template, payloads: Payloads) -> Result<(), MqttError> {
    let deadline = Deadline::after(prepared.timeout_s);
    let work = async {
        let (client, _messages) = prepared.connect().await?;
        let mut window = Window {
            client,
            template,
            waiting: VecDeque::new(),
            done: 0,
        };
        match payloads {
            Payloads::One(payload) => window.submit(payload).await?,
            Payloads::Lines => {
                let mut lines = lines::lines();
                loop {
                    tokio::select! {
                        line = lines.recv() => match line {
                            Some(line) => window.submit(line?).await?,
                            None => break,
                        },
                        settled = window.settle(), if !window.waiting.is_empty() => settled?,
                    }
                }
            }
        }
        while !window.waiting.is_empty() {
            window.settle().await?;
        }
        goodbye(window.client).await;
        Ok(())
    };
    tokio::select! {
        done = work => done,
        late = deadline.passed() => Err(late),
        () = asked_to_end() => Err(MqttError::Lost {
            why: "it was told to end".to_owned(),
            done: "; what had not been acknowledged may or may not have arrived".to_owned(),
        }),
    }
}

impl Window {
    async fn submit(&mut self, payload: Bytes) -> Result<(), MqttError> {
        if self.waiting.len() >= WINDOW {
            self.settle().await?;
        }
        let Template {
            topic,
            qos: number,
            retain,
            properties,
        } = &self.template;
        let mut message = message(topic, payload, qos(*number), *retain)
            .map_err(|error| MqttError::Typed(format!("--topic {topic}: {error}")))?;
        message.properties = properties.clone();
        let submitted = self.client.submit(message).await;
        let submitted = submitted.map_err(|error| self.fault(error))?;
        self.waiting.push_back(submitted);
        Ok(())
    }

    /// Waits for the oldest. Cancelled, it is waited for again.
    async fn settle(&mut self) -> Result<(), MqttError> {
        let Some(oldest) = self.waiting.front_mut() else {
            return Ok(());
        };
        // An answer that has come counts also if the connection ended right behind it.
        let settled = tokio::select! {
            biased;
            settled = oldest.settled() => settled,
            offline = self.client.wait_for(|state| !matches!(state, State::Online { .. })) => {
                return Err(self.ended(offline.ok()));
            }
        };
        self.waiting.pop_front();
        match settled {
            Ok(_) => {
                self.done += 1;
                Ok(())
            }
            Err(error) => Err(self.fault(error)),
        }
    }

    fn fault(&self, error: ebbtide_client::Error) -> MqttError {
        let what = format!("the message to {}", self.template.topic);
        MqttError::of(&what, error, &self.so_far())
    }

    fn ended(&self, state: Option<State>) -> MqttError {
        let why = state.as_ref().map(State::explain).unwrap_or_default();
        match state {
            Some(
                State::Offline {
                    reason_code: Some(code),
                    ..
                }
                | State::NeedsAuth {
                    reason_code: code, ..
                },
            ) => MqttError::Refused {
                what: "to go on".to_owned(),
                why,
                code,
                done: self.so_far(),
            },
            Some(State::Offline { .. }) => MqttError::Lost {
                why,
                done: self.so_far(),
            },
            _ => MqttError::Lost {
                why: "nobody knows why".to_owned(),
                done: self.so_far(),
            },
        }
    }

    /// For who has to do the rest.
    fn so_far(&self) -> String {
        format!(
            "; {} acknowledged, {} that may or may not have arrived",
            self.done,
            self.waiting.len()
        )
    }
}
