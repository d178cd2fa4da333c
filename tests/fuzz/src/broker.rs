//! The broker core, fed by three connections with any bytes in any order, with commits, time and crashes in between: no
//! panic, and what the store has is what the broker had.

use arbitrary::Unstructured;

use super::driver::Driver;

const CONNECTIONS: usize = 3;

/// Steps, each a byte that says what happens and bytes that it happens with.
pub fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(steps) = input.arbitrary::<Vec<(u8, &[u8])>>() else {
        return;
    };
    let mut driver = Driver::new(CONNECTIONS);
    for (step, bytes) in steps {
        let at = usize::from(step) % CONNECTIONS;
        match step / 3 {
            0..60 => driver.send_bytes(at, bytes),
            60..70 => driver.commit(),
            70..74 => driver.reconnect(at),
            74..80 => driver.pass_ms(bytes.len() as u64 * 1_000),
            _ => driver.crash(bytes.len()),
        }
    }
    driver.check();
}
