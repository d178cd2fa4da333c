//! How the files of the binary reach a browser: small, and not again when it has them.

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::{self, Response};

fn ask(broker: &Broker, header: &str) -> Result<Response> {
    let address = broker.http();
    let head = format!("GET / HTTP/1.1\r\nHost: {address}\r\n{header}Connection: close\r\n\r\n");
    http::request(address, &head)
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.eq_ignore_ascii_case(name)).then(|| value.trim().to_owned())
    })
}

#[test]
fn brotli_goes_to_those_who_take_it_and_nothing_to_those_who_have_it() -> Result<()> {
    let broker = Broker::start()?;
    let plain = ask(&broker, "")?;
    ensure!(plain.status == 200, "{}", plain.head);
    ensure!(header(&plain, "content-encoding").is_none());
    let small = ask(&broker, "Accept-Encoding: gzip, br\r\n")?;
    ensure!(header(&small, "content-encoding").as_deref() == Some("br"));
    ensure!(header(&small, "content-type") == header(&plain, "content-type"));
    ensure!(header(&small, "vary").as_deref() == Some("accept-encoding"));
    let length = |response: &Response| -> Result<u64> {
        Ok(header(response, "content-length")
            .context("its length")?
            .parse()?)
    };
    ensure!(length(&small)? * 2 < length(&plain)?, "{}", small.head);
    let tag = header(&small, "etag").context("its tag")?;
    ensure!(Some(&tag) != header(&plain, "etag").as_ref());
    let known = ask(
        &broker,
        &format!("Accept-Encoding: br\r\nIf-None-Match: {tag}\r\n"),
    )?;
    ensure!(known.status == 304, "{}", known.head);
    Ok(())
}
