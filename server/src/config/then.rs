//! What holds once the file was read again while the broker runs: what needs a restart as it is, everything else as the file has it now.
//! What a method of `auth` stands on stays with the method.

use super::{Config, ConfigError, Method, TlsFiles};

impl Config {
    /// What holds as soon as `next` was read, if this is what holds now.
    ///
    /// # Errors
    /// Each of both makes sense, and what of them would hold together does not.
    pub fn then(&self, next: &Self) -> Result<Self, ConfigError> {
        let mut auth = self.auth.clone();
        if [self, next]
            .iter()
            .all(|config| config.auth.methods.contains(&Method::Jwt))
        {
            auth.jwt.clone_from(&next.auth.jwt);
        }
        let then = Self {
            tls: self.tls_then(next),
            trusted_proxies: next.trusted_proxies.clone(),
            proxy_protocol: next.proxy_protocol,
            auth,
            allow_host: next.allow_host.clone(),
            allow_origin: next.allow_origin.clone(),
            server_reference: next.server_reference.clone(),
            limits: next.limits.clone(),
            log: next.log.clone(),
            ..self.clone()
        };
        then.check()?;
        Ok(then)
    }

    fn tls_then(&self, next: &Self) -> Option<TlsFiles> {
        // Where nobody listens there is nothing that could take new files.
        let listens = self.mqtts.is_some() || self.https.is_some();
        let (Some(now), Some(next), true) = (&self.tls, &next.tls, listens) else {
            return self.tls.clone();
        };
        let is_on = self.auth.methods.contains(&Method::Certificate);
        let mut then = next.clone();
        if is_on && next.client_authorities.is_none() {
            // Until a restart takes the method away clients come in by it, and so by what was said of their certificates.
            then.client_authorities.clone_from(&now.client_authorities);
            then.client_certificates = now.client_certificates;
            then.revoked.clone_from(&now.revoked);
        }
        Some(then)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use ebbtide_broker::Limits;

    use super::*;
    use crate::{
        cli::Cli,
        config::{ClientCertificates, Options, Reload, differences, reload::Difference},
    };

    fn config(text: &str) -> Config {
        let options: Options = toml::from_str(text).expect("valid TOML");
        Config::resolve(options).expect("a valid configuration")
    }

    /// Each option with another value than its default.
    fn another() -> Config {
        let mut text = r#"
mqtt = "127.0.0.1:1"
http = "127.0.0.1:2"
mqtts = "127.0.0.1:3"
https = "127.0.0.1:4"
tls_certificate = "c"
tls_key = "k"
tls_client_ca = "a"
tls_client_certificates = "optional"
tls_client_crl = "r"
trusted_proxies = ["10.0.0.0/8"]
proxy_protocol = true
mqtt_durability = "relaxed"
http_durability = "relaxed"
relaxed_commit_ms = 1
data_dir = "d"
disk_reserve_bytes = 1
allow_anonymous = true
auth = ["certificate"]
certificate_user = "dns"
certificate_known_users = true
allow_host = ["h.example"]
allow_origin = ["https://o.example"]
server_reference = "s:1"
presence_topic = "p/{client}"
presence_offline_expiry_s = 1
sys_interval = 1
log = "debug"
log_format = "json"
[limits]
"#
        .to_owned();
        let shown = toml::from_str::<toml::Table>(&config("").to_string());
        let shown = shown.expect("what is printed can be read");
        for (key, value) in shown["limits"].as_table().expect("a table") {
            let other = match value {
                toml::Value::Integer(1024) => "1023".to_owned(),
                toml::Value::Integer(value) if *value == i64::from(u32::MAX) => "1".to_owned(),
                toml::Value::Integer(value) => (value + 1).to_string(),
                _ => "\"drop_newest\"".to_owned(),
            };
            text += &format!("{key} = {other}\n");
        }
        config(&text)
    }

    /// Would fail if an option were taken over that needs a restart, or one were not that does not.
    #[test]
    fn each_option_holds_when_it_says() {
        let command = Cli::command();
        let (plain, another) = (config(""), another());
        for (now, next) in [(&plain, &another), (&another, &plain)] {
            let then = now.then(next).expect("they get on with each other");
            let left = differences(&then, &then, next, &command);
            let changed = differences(now, next, next, &command);
            for argument in command.get_arguments() {
                let Some(reload) = argument.get::<Reload>().copied() else {
                    continue;
                };
                let key = argument.get_id().as_str();
                let is_in =
                    |list: &[Difference]| list.iter().any(|difference| difference.key == key);
                // It is one that says where the data is.
                assert!(
                    is_in(&changed) || key == "ephemeral",
                    "{key} is the same in both"
                );
                // Nobody listens for TLS in one of them.
                let waits = reload == Reload::Restart || key.starts_with("tls_");
                assert_eq!(is_in(&left), waits && key != "ephemeral", "{key}");
            }
        }
        let limits = plain.then(&another).expect("as above").limits;
        assert_ne!(limits.receive_maximum, Limits::default().receive_maximum);
    }

    const TLS: &str = "mqtts = '127.0.0.1:9'\ntls_certificate = 'c'\ntls_key = 'k'\n";

    #[test]
    fn the_authorities_stay_as_long_as_certificates_say_who_clients_are() {
        let tls = |more: &str| config(&format!("{TLS}{more}"));
        let shown =
            "tls_client_ca = 'a'\ntls_client_certificates = 'optional'\ntls_client_crl = 'r'\n";
        let on = tls(&format!("{shown}auth = ['certificate', 'password']"));
        let files = |config: &Config| {
            let tls = config.tls.clone().expect("there are files");
            let text =
                |path: Option<std::path::PathBuf>| path.map(|path| path.display().to_string());
            (
                text(tls.client_authorities).unwrap_or_default(),
                tls.client_certificates,
                text(tls.revoked),
            )
        };
        let off = tls("auth = ['password']");
        let kept = on.then(&off).expect("they get on");
        let old = (
            "a".to_owned(),
            ClientCertificates::Optional,
            Some("r".to_owned()),
        );
        assert_eq!(files(&kept), old);
        // Also when it is read a second time, with another certificate of the broker.
        let renewed = config(&format!(
            "{}auth = ['password']",
            TLS.replace("'c'", "'new'")
        ));
        let kept = kept.then(&renewed).expect("they get on");
        assert_eq!(files(&kept), old);
        let certificate = kept.tls.expect("there are files").certificate;
        assert_eq!(certificate.display().to_string(), "new");
        // Others that are named count.
        let others = tls("tls_client_ca = 'b'\nauth = ['password']");
        assert_eq!(files(&on.then(&others).expect("they get on")).0, "b");
        // Without the method they are nobody's way in.
        let asked = tls("tls_client_ca = 'a'\nauth = ['password']");
        assert_eq!(files(&asked.then(&off).expect("they get on")).0, "");
    }

    #[test]
    fn what_makes_sense_only_after_a_restart_is_refused() {
        let on = config(&format!(
            "{TLS}tls_client_ca = 'a'\nauth = ['certificate', 'password']"
        ));
        let next = config(&format!("{TLS}auth = ['password']\nallow_origin = ['*']"));
        let refused = on.then(&next);
        assert!(
            matches!(refused, Err(ConfigError::CertificatesForAnyOrigin)),
            "{refused:?}"
        );
        assert!(next.then(&next).is_ok());
        // What waits for a restart as a whole is no reason to refuse it.
        let bare = config("");
        assert!(bare.then(&on).is_ok() && on.then(&bare).is_ok());
    }
}
