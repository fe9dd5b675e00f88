//! Adapters of the platform: conformance suites on every adapter, and what is particular to one of them.

#![expect(clippy::unwrap_used, reason = "a test that meets an unexpected value fails")]

mod bus;
mod bus_amqp;
mod bus_opening;
mod cache;
mod cache_loads;
mod cache_redis;
mod consumer;
mod discovery;
mod discovery_consul;
mod discovery_services;
mod full_disk;
mod relay;
mod servers;
mod spawn_service;
