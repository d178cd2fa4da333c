//! Clients in other languages: a script is told in JSON what to do, line by line, and answers so.

use std::cell::RefCell;
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use ebbtide_tests::script::Script;
use serde_json::{Value, json};

use super::client::{Client, Connected, Message, Options, Wish};

/// A script that holds many clients.
pub struct Host(Rc<RefCell<Script>>);

/// One of them.
struct Scripted {
    name: String,
    host: Rc<RefCell<Script>>,
}

impl Host {
    pub fn start(command: Command) -> Result<Self> {
        Ok(Self(Rc::new(RefCell::new(Script::start(command)?))))
    }

    pub fn client(&self, name: &str) -> Box<dyn Client> {
        Box::new(Scripted {
            name: name.to_owned(),
            host: Rc::clone(&self.0),
        })
    }
}

impl Scripted {
    fn ask(&mut self, what: &str, with: &Value) -> Result<Value> {
        let order = json!({"client": self.name, "do": what, "with": with}).to_string();
        let answer = self.host.borrow_mut().ask(&order)?;
        let mut answer: Value = serde_json::from_str(&answer).context("an answer in JSON")?;
        if let Some(error) = answer.get("error") {
            bail!("{} to {what}: {error}", self.name);
        }
        Ok(answer["ok"].take())
    }
}

impl Client for Scripted {
    fn connect(&mut self, options: &Options) -> Result<Connected> {
        let answer = self.ask("connect", &serde_json::to_value(options)?)?;
        Ok(serde_json::from_value(answer)?)
    }

    fn subscribe(&mut self, filter: &str, wish: Wish) -> Result<u8> {
        let with = json!({
            "filter": filter,
            "qos": wish.qos,
            "identifier": wish.identifier,
            "no_local": wish.no_local,
            "retain_as_published": wish.retain_as_published,
        });
        Ok(serde_json::from_value(self.ask("subscribe", &with)?)?)
    }

    fn unsubscribe(&mut self, filter: &str) -> Result<()> {
        self.ask("unsubscribe", &json!({"filter": filter}))
            .map(drop)
    }

    fn publish(&mut self, message: &Message) -> Result<Option<u8>> {
        let reason = self.ask("publish", &json!({"message": message}))?;
        Ok(serde_json::from_value(reason)?)
    }

    fn next(&mut self) -> Result<Message> {
        Ok(serde_json::from_value(self.ask("next", &json!({}))?)?)
    }

    fn disconnect(&mut self) -> Result<()> {
        self.ask("disconnect", &json!({})).map(drop)
    }

    fn cut(&mut self) -> Result<()> {
        self.ask("cut", &json!({})).map(drop)
    }
}
