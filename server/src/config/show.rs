//! The configuration as a file that says the same: what `ebbtide config check` prints. No secret is in it.

use std::fmt;

use super::{Config, LogFormat, Storage, limits};

/// As a file that says the same.
impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strings = |items: Vec<String>| toml::Value::from(items);
        writeln!(
            formatter,
            "mqtt = {}",
            toml::Value::from(self.mqtt.to_string())
        )?;
        writeln!(
            formatter,
            "http = {}",
            toml::Value::from(self.http.to_string())
        )?;
        for (key, address) in [("mqtts", self.mqtts), ("https", self.https)] {
            if let Some(address) = address {
                writeln!(formatter, "{key} = \"{address}\"")?;
            }
        }
        if let Some(tls) = &self.tls {
            tls.write(formatter)?;
        }
        let tls = self.tls.as_ref();
        let certificates = tls.map(|tls| tls.client_certificates);
        let certificates = certificates.unwrap_or_default().name();
        writeln!(formatter, "tls_client_certificates = \"{certificates}\"")?;
        let proxies = self.trusted_proxies.iter().map(ToString::to_string);
        writeln!(
            formatter,
            "trusted_proxies = {}",
            strings(proxies.collect())
        )?;
        writeln!(formatter, "proxy_protocol = {}", self.proxy_protocol)?;
        for (key, durability) in [
            ("mqtt_durability", self.mqtt_durability),
            ("http_durability", self.http_durability),
        ] {
            writeln!(formatter, "{key} = \"{}\"", durability.name())?;
        }
        writeln!(
            formatter,
            "relaxed_commit_ms = {}",
            self.relaxed_commit.as_millis()
        )?;
        match &self.storage {
            Storage::Directory(path) => {
                writeln!(
                    formatter,
                    "data_dir = {}",
                    toml::Value::from(path.to_string_lossy().into_owned())
                )?;
                writeln!(formatter, "ephemeral = false")?;
            }
            Storage::Ephemeral => writeln!(formatter, "ephemeral = true")?,
        }
        writeln!(
            formatter,
            "disk_reserve_bytes = {}",
            self.disk_reserve_bytes
        )?;
        writeln!(formatter, "allow_anonymous = {}", self.allow_anonymous)?;
        let methods = self.auth.methods.iter();
        let methods = methods.map(|method| method.name().to_owned()).collect();
        writeln!(formatter, "auth = {}", strings(methods))?;
        let certificates = self.auth.certificates;
        writeln!(
            formatter,
            "certificate_user = \"{}\"",
            certificates.user.name()
        )?;
        let known_only = certificates.known_only;
        writeln!(formatter, "certificate_known_users = {known_only}")?;
        // Secrets are among them, or not far.
        for (what, count) in [
            ("users", self.auth.users.len()),
            ("rules", self.auth.rules.len()),
            ("jwt", self.auth.jwt.len()),
        ] {
            if count > 0 {
                writeln!(formatter, "# and {count} [[{what}]], which are not shown")?;
            }
        }
        writeln!(
            formatter,
            "allow_host = {}",
            strings(self.allow_host.iter().map(ToString::to_string).collect())
        )?;
        writeln!(
            formatter,
            "allow_origin = {}",
            strings(self.allow_origin.iter().map(ToString::to_string).collect())
        )?;
        if let Some(reference) = &self.server_reference {
            writeln!(
                formatter,
                "server_reference = {}",
                toml::Value::from(reference.to_string())
            )?;
        }
        if let Some(topic) = &self.presence_topic {
            let topic = toml::Value::from(topic.clone());
            writeln!(formatter, "presence_topic = {topic}")?;
        }
        let expiry_s = self.presence_offline_expiry_s;
        writeln!(formatter, "presence_offline_expiry_s = {expiry_s}")?;
        writeln!(
            formatter,
            "sys_interval = {}",
            self.sys_interval.unwrap_or_default().as_secs()
        )?;
        writeln!(formatter, "log = {}", toml::Value::from(self.log.clone()))?;
        let format = match self.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        writeln!(formatter, "log_format = \"{format}\"")?;
        limits::write(&self.limits, formatter)
    }
}
