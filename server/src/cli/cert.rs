//! `ebbtide cert dev`: a certificate for this machine, and the authority that browsers and clients have to trust for it.
//!
//! The key of the authority is never written: nobody can sign anything else with it.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::exit::Failure;

/// What every machine calls itself.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Browsers take no certificate that is valid for more than 398 days.
const VALIDITY: Duration = Duration::days(397);
/// Clocks differ.
const HEAD_START: Duration = Duration::days(1);

/// What may be typed.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Makes a local authority and a certificate of it for this machine, for development: `authority.pem` (to be trusted by
    /// browsers and clients), `certificate.pem` and `key.pem`.
    Dev(Arguments),
}

/// What may be typed after `dev`.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The folder for the files; it is created if need be.
    #[arg(long, value_name = "DIR", default_value = "ebbtide-certificates")]
    out: PathBuf,

    /// A further name or address of this machine, beside localhost, 127.0.0.1 and ::1; may be repeated.
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    /// Makes a certificate for a client as well, with this common name: `client.pem` and `client-key.pem`; the broker takes
    /// it with `--tls-client-ca authority.pem`.
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    /// A name that a certificate cannot carry.
    #[error("no certificate can be made: {0}; a name is a host name or an IP address")]
    Make(#[from] rcgen::Error),
    /// A file could not be written, or is there already.
    #[error("cannot write {path}: {source}{}", hint(.source))]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AlreadyExists => "; remove it first, or choose another folder with --out",
        _ => "",
    }
}

impl Command {
    /// Makes the files and says what to do with them.
    pub fn run(self) -> Result<(), Failure> {
        let Self::Dev(arguments) = self;
        Ok(arguments.run()?)
    }
}

impl Arguments {
    fn run(self) -> Result<(), CertError> {
        let authority = authority()?;
        let names = LOCAL_NAMES.map(str::to_owned).into_iter().chain(self.name);
        let mut server = CertificateParams::new(names.collect::<Vec<_>>())?;
        server
            .distinguished_name
            .push(DnType::CommonName, "Ebbtide on this machine");
        let server = signed(server, ExtendedKeyUsagePurpose::ServerAuth, &authority)?;
        let mut files = vec![
            ("authority.pem", authority.pem()),
            ("certificate.pem", server.certificate),
            ("key.pem", server.key),
        ];
        if let Some(name) = self.client {
            let mut client = CertificateParams::new(Vec::new())?;
            client.distinguished_name.push(DnType::CommonName, name);
            let client = signed(client, ExtendedKeyUsagePurpose::ClientAuth, &authority)?;
            files.push(("client.pem", client.certificate));
            files.push(("client-key.pem", client.key));
        }
        std::fs::create_dir_all(&self.out).map_err(|source| CertError::Write {
            path: self.out.clone(),
            source,
        })?;
        for (name, text) in &files {
            write(&self.out.join(name), text)?;
        }
        let at = |name| self.out.join(name).display().to_string();
        println!(
            "Made for {} days. The broker: ebbtide --mqtts 127.0.0.1:8883 --https 127.0.0.1:8443 \\\n  --tls-certificate {} --tls-key {}\n\
             Browsers and clients have to trust {} (mosquitto_pub: --cafile).",
            VALIDITY.whole_days(),
            at("certificate.pem"),
            at("key.pem"),
            at("authority.pem"),
        );
        Ok(())
    }
}

struct Signed {
    certificate: String,
    key: String,
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, CertError> {
    let mut params = CertificateParams::new(Vec::new())?;
    limit(&mut params);
    params
        .distinguished_name
        .push(DnType::CommonName, "Ebbtide development authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn signed(
    mut params: CertificateParams,
    usage: ExtendedKeyUsagePurpose,
    authority: &CertifiedIssuer<'static, KeyPair>,
) -> Result<Signed, CertError> {
    limit(&mut params);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    Ok(Signed {
        certificate: params.signed_by(&key, authority)?.pem(),
        key: key.serialize_pem(),
    })
}

fn limit(params: &mut CertificateParams) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - HEAD_START;
    params.not_after = now - HEAD_START + VALIDITY;
}

/// Never over something that is there; keys for nobody but the owner.
fn write(path: &Path, text: &str) -> Result<(), CertError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if path.to_string_lossy().ends_with("key.pem") {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| CertError::Write {
            path: path.into(),
            source,
        })
}
