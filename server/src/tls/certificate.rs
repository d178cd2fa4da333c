//! What a client's certificate says of it. The handshake has verified it before: who signed it, and that it counts now.

use std::fmt;

use clap::ValueEnum;
use ebbtide_store::WallTime;
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer, time::ASN1Time,
};

/// Which name of a certificate is the user.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum CertificateUser {
    /// The common name of its subject.
    #[default]
    CommonName,
    /// Its DNS name (subject alternative name).
    Dns,
    /// Its e-mail address (subject alternative name).
    Email,
}

impl CertificateUser {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::CommonName => "common_name",
            Self::Dns => "dns",
            Self::Email => "email",
        }
    }
}

impl fmt::Display for CertificateUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommonName => "common name",
            Self::Dns => "DNS name",
            Self::Email => "e-mail address",
        })
    }
}

/// The certificate of a client, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    common_names: Vec<String>,
    dns_names: Vec<String>,
    emails: Vec<String>,
    /// The last moment at which it counts.
    pub expires_at: WallTime,
}

impl ClientCertificate {
    /// `None`: it cannot be read, so it says nothing of anybody.
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let common_names = certificate.subject().iter_common_name();
        let common_names = common_names.map(|name| name.as_str().ok().map(str::to_owned));
        let (mut dns_names, mut emails) = (Vec::new(), Vec::new());
        if let Some(names) = certificate.subject_alternative_name().ok()? {
            for name in &names.value.general_names {
                match name {
                    GeneralName::DNSName(name) => dns_names.push((*name).to_owned()),
                    GeneralName::RFC822Name(name) => emails.push((*name).to_owned()),
                    _ => {}
                }
            }
        }
        Some(Self {
            common_names: common_names.collect::<Option<_>>()?,
            dns_names,
            emails,
            expires_at: wall_time(certificate.validity().not_after),
        })
    }

    /// Whose it is; or a sentence why it is nobody's.
    pub fn user(&self, which: CertificateUser) -> Result<&str, String> {
        let names = match which {
            CertificateUser::CommonName => &self.common_names,
            CertificateUser::Dns => &self.dns_names,
            CertificateUser::Email => &self.emails,
        };
        match names.as_slice() {
            [name] => Ok(name),
            [] => Err(format!(
                "its certificate has no {which}, which is the user (`certificate_user`)"
            )),
            names => Err(format!(
                "its certificate has {} of what is the user (`certificate_user`): its {which}",
                names.len()
            )),
        }
    }
}

fn wall_time(time: ASN1Time) -> WallTime {
    WallTime(
        u64::try_from(time.timestamp())
            .unwrap_or(0)
            .saturating_mul(1000),
    )
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    fn read(common_names: &[&str], other: &[SanType]) -> ClientCertificate {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        // It has one by itself.
        params.distinguished_name = DistinguishedName::new();
        for name in common_names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.subject_alt_names = other.to_vec();
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        ClientCertificate::read(certificate.der()).expect("it can be read")
    }

    #[test]
    fn one_name_is_the_user() {
        let dns = |name: &str| SanType::DnsName(name.try_into().expect("a name"));
        let email = SanType::Rfc822Name("a@b.example".try_into().expect("an address"));
        let read = read(&["device 7"], &[dns("a.example"), dns("b.example"), email]);
        assert_eq!(read.user(CertificateUser::CommonName), Ok("device 7"));
        assert_eq!(read.user(CertificateUser::Email), Ok("a@b.example"));
        let several = read.user(CertificateUser::Dns).expect_err("two");
        assert!(several.contains("has 2 of what is the user"), "{several}");
        assert_eq!(read.expires_at, WallTime(4_102_444_800_000));
    }

    #[test]
    fn a_name_that_is_not_there_is_nobody() {
        let nameless = read(&[], &[]);
        let why = nameless.user(CertificateUser::CommonName);
        let why = why.expect_err("no name");
        assert!(why.contains("has no common name"), "{why}");
        assert_eq!(
            ClientCertificate::read(&CertificateDer::from(vec![1, 2])),
            None
        );
    }
}
