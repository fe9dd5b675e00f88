//! Fleets under faults: crashes, restarts, outages, races, injected faults, full disks.

#![expect(clippy::unwrap_used, reason = "a test that meets an unexpected value fails")]

mod concurrency;
mod crash;
mod fault_injection;
mod full_disk;
mod outages;
mod recovery;
mod restart;
