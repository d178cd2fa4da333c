//! A client in a run of traffic: it publishes, or receives and acknowledges, or both, until the run is over.
//!
//! All of them share one thread: nothing is locked, and a turn ends when the socket takes or gives no more.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use ebbtide_protocol::QoS;

use super::{frame::Frame, link::Link, pace::Pace, tally::Tally, template::Template};

/// Written at once, about.
const OUTPUT_BYTES: usize = 64 * 1024;
/// How often a client writes and reads, once each, before the others have their turn.
const TURNS_MAX: u32 = 16;

/// What all endpoints of a run share.
pub struct Run {
    pub start: Instant,
    pub tally: Tally,
    /// No more is published.
    pub is_ending: Cell<bool>,
    /// No more than that many are, of all publishers together.
    pub limit: Cell<Option<u64>>,
    /// With a rate: what is due from then on, after the start, is not published.
    pub end: Cell<Option<Duration>>,
}

impl Run {
    /// It begins now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            tally: Tally::new(),
            is_ending: Cell::new(false),
            limit: Cell::new(None),
            end: Cell::new(None),
        }
    }

    /// Nanoseconds since it began.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn is_over(&self) -> bool {
        let limit = self.limit.get();
        self.is_ending.get() || limit.is_some_and(|limit| self.tally.counts().sent >= limit)
    }
}

/// What an endpoint publishes.
pub struct Publishing {
    /// In turn, and again from the first.
    pub templates: Vec<Template>,
    pub qos: QoS,
    /// Unacknowledged at a time, at QoS 1 and 2.
    pub window: usize,
    /// How fast; `None`: as fast as the broker takes it.
    pub pace: Option<Pace>,
}

/// A publisher with a connection.
pub struct Publisher {
    link: Link,
    publishing: Publishing,
    in_flight: usize,
    next_id: u16,
    /// Of the templates.
    next: usize,
    run: Rc<Run>,
}

impl Publisher {
    pub fn new(link: Link, mut publishing: Publishing, run: Rc<Run>) -> Self {
        publishing.window = publishing.window.min(link.receive_maximum);
        Self {
            link,
            publishing,
            in_flight: 0,
            next_id: 0,
            next: 0,
            run,
        }
    }

    /// Until the run ends and everything is acknowledged.
    pub async fn run(mut self) -> io::Result<()> {
        loop {
            poll_fn(|context| self.poll_turns(context)).await?;
            if self.is_done() {
                return Ok(());
            }
            // Others have their turn.
            tokio::task::yield_now().await;
        }
    }

    fn is_done(&self) -> bool {
        self.run.is_over() && self.in_flight == 0 && self.link.output.is_empty()
    }

    fn poll_turns(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..TURNS_MAX {
            self.fill(context);
            let written = self.link.poll_write(context)?;
            let read = match self.wants_answers() {
                true => self.poll_read(context)?,
                false => Poll::Pending,
            };
            if self.is_done() {
                return Poll::Ready(Ok(()));
            }
            let can_go_on = written.is_ready() && self.wants_to_publish();
            if read.is_pending() && !can_go_on {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn wants_to_publish(&self) -> bool {
        !self.run.is_over()
            && (self.publishing.qos == QoS::AtMostOnce || self.in_flight < self.publishing.window)
            && (self.publishing.pace.as_ref()).is_none_or(|pace| pace.is_due(self.run.end.get()))
    }

    /// At a rate nobody waits for a PUBACK before the window is half full, and to wake for each would cost as much as to publish.
    fn wants_answers(&self) -> bool {
        let Publishing {
            qos, window, pace, ..
        } = &self.publishing;
        let can_wait = *qos == QoS::AtLeastOnce && pace.is_some() && self.in_flight * 2 < *window;
        !can_wait || self.run.is_over()
    }

    fn fill(&mut self, context: &mut Context<'_>) {
        let now_ns = self.run.now_ns();
        while self.link.output.len() < OUTPUT_BYTES && self.wants_to_publish() {
            // With a pace the time counts from when it should have left: a broker that stalls is not spared.
            let time_ns = match &mut self.publishing.pace {
                Some(pace) => pace.take(),
                None => now_ns,
            };
            self.next_id = self.next_id % u16::MAX + 1;
            let template = &self.publishing.templates[self.next];
            template.put(&mut self.link.output, self.next_id, time_ns);
            self.next = (self.next + 1) % self.publishing.templates.len();
            self.run.tally.sent();
            if self.publishing.qos != QoS::AtMostOnce {
                self.in_flight += 1;
            }
        }
        if let Some(pace) = &mut self.publishing.pace {
            pace.poll(context);
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (in_flight, tally) = (&mut self.in_flight, &self.run.tally);
        self.link.poll_frames(context, |frame, output| match frame {
            Frame::PubAck { reason } => {
                *in_flight = in_flight.saturating_sub(1);
                tally.acknowledged(reason);
            }
            Frame::PubRec { packet_id, reason } if reason < 0x80 => {
                output.extend_from_slice(&[0x62, 2, packet_id[0], packet_id[1]]);
            }
            Frame::PubRec { reason, .. } => {
                *in_flight = in_flight.saturating_sub(1);
                tally.acknowledged(reason);
            }
            Frame::PubComp => {
                *in_flight = in_flight.saturating_sub(1);
                tally.acknowledged(0);
            }
            _ => {}
        })
    }
}

/// A subscriber with a connection.
pub struct Subscriber {
    link: Link,
    run: Rc<Run>,
}

impl Subscriber {
    pub fn new(link: Link, run: Rc<Run>) -> Self {
        Self { link, run }
    }

    /// Until it is dropped, or the broker ends the connection.
    pub async fn run(mut self) -> io::Result<()> {
        loop {
            poll_fn(|context| self.poll_turns(context)).await?;
            tokio::task::yield_now().await;
        }
    }

    fn poll_turns(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..TURNS_MAX {
            let read = self.poll_read(context)?;
            let written = self.link.poll_write(context)?;
            if read.is_pending() {
                return Poll::Pending;
            }
            if written.is_pending() {
                // It does not take the acknowledgements: nothing more is read either.
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let run = &self.run;
        // One look at the clock for each read: all of it has arrived by now.
        let mut now_ns = None;
        self.link.poll_frames(context, |frame, output| {
            receive(frame, output, |payload| {
                let now_ns = *now_ns.get_or_insert_with(|| run.now_ns());
                run.tally.received(payload, now_ns);
            });
        })
    }
}

/// Acknowledges what came, and hands its payload over.
pub fn receive(frame: Frame<'_>, output: &mut BytesMut, take: impl FnOnce(&[u8])) {
    match frame {
        Frame::Publish {
            qos,
            packet_id: [high, low],
            payload,
            ..
        } => {
            match qos {
                QoS::AtMostOnce => {}
                QoS::AtLeastOnce => output.extend_from_slice(&[0x40, 2, high, low]),
                QoS::ExactlyOnce => output.extend_from_slice(&[0x50, 2, high, low]),
            }
            take(payload);
        }
        Frame::PubRel {
            packet_id: [high, low],
        } => output.extend_from_slice(&[0x70, 2, high, low]),
        _ => {}
    }
}
