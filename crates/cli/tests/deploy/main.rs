//! What stands in deploy/kubernetes and docker-compose.yml is what the code reads, serves and
//! needs: names, ports, probes, times and sizes.

#![cfg(test)]

mod compose;
mod container;
mod image;
mod interpolation;
mod kustomize;
mod network;
mod pods;
mod quantity;
mod services;
mod workloads;
mod yaml;
