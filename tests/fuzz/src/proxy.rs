//! Any bytes from a proxy: as a header of the PROXY protocol, of either version, and as lines of `X-Forwarded-For`.

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// See [`ebbtide::fuzz::proxy`] and [`ebbtide::fuzz::forwarded`].
pub fn run(data: &[u8]) {
    ebbtide::fuzz::proxy(data);
    ebbtide::fuzz::proxy(&[b"PROXY ", data].concat());
    ebbtide::fuzz::proxy(&[SIGNATURE, data].concat());
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    ebbtide::fuzz::forwarded(&lines);
}
