//! Plays one work for the core, to have its instructions counted: `cost WORK COUNT`. Without a word it names them all, each with how
//! often it is worth playing.

#[path = "../tests/cost/mod.rs"]
mod cost;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, count] = &words[..] else {
        for work in &cost::ALL {
            println!("{} {} {}", work.name, work.count, work.unit);
        }
        return ExitCode::SUCCESS;
    };
    let work = cost::ALL.iter().find(|work| work.name == name);
    let (Some(work), Ok(count)) = (work, count.parse()) else {
        eprintln!("usage: cost WORK COUNT");
        return ExitCode::from(2);
    };
    work.play(count);
    ExitCode::SUCCESS
}
