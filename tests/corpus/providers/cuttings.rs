//! The streams of all providers in frames of all sizes, straight through the layer.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::recorded::{ProviderExchange, chosen_streams, read};
use crate::support::cuttings::{self, Cutting, Whole, assert_same_however_cut};
use crate::support::observed_with;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs recorded exchanges: RECONIFY_PROVIDERS_CORPUS names their folder"]
async fn streams_of_every_framing_are_reported_the_same_wherever_they_are_cut_in_two() {
    let exchanges = read();
    let mut observed = observed_with(cuttings::config());
    let mut shortest: BTreeMap<(&str, &str), &ProviderExchange> = BTreeMap::new();
    for exchange in chosen_streams(&exchanges) {
        let one = shortest.entry((exchange.framing(), exchange.provider())).or_insert(exchange);
        if exchange.response.len() < one.response.len() {
            *one = exchange;
        }
    }
    for exchange in shortest.values() {
        let cuttings: Vec<_> = (0..=exchange.response.len()).map(Cutting::Once).collect();
        assert_same_however_cut(&mut observed, &exchange.whole(), &cuttings).await;
        println!("{} is reported the same wherever it is cut in two", exchange.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs recorded exchanges: RECONIFY_PROVIDERS_CORPUS names their folder"]
async fn streams_of_every_provider_are_reported_the_same_however_they_are_cut() {
    let exchanges = read();
    let wholes: Vec<Whole> = chosen_streams(&exchanges).into_iter().map(ProviderExchange::whole).collect();
    let mut random = cuttings::random_from(21);
    let half = |start| wholes.iter().skip(start).step_by(2).cloned().collect();
    let halves = [0, 1].map(|start| tokio::spawn(cut_all(half(start), random.fork())));
    let mut ways = 0;
    for half in halves {
        ways += half.await.unwrap();
    }
    println!("{} streams of other providers reported the same in {ways} cuttings", wholes.len());
}

async fn cut_all(streams: Vec<Whole>, mut random: Rng) -> usize {
    let mut observed = observed_with(cuttings::config());
    let mut ways = 0;
    for whole in streams {
        let even = [1, 2, 3, 5, 7, 16, 61, 256, 1_024, 8_192].map(Cutting::Every);
        let cuttings: Vec<_> = even.into_iter().chain(Cutting::odd(&mut random).take(60)).collect();
        assert_same_however_cut(&mut observed, &whole, &cuttings).await;
        ways += cuttings.len();
    }
    ways
}

impl ProviderExchange {
    /// What crosses the layer of it.
    fn whole(&self) -> Whole {
        Whole {
            path: self.address(),
            request_type: self.request_type().to_owned(),
            request: self.request.clone(),
            response_type: self.content_type().map(str::to_owned),
            coding: self.coding().map(str::to_owned),
            response: self.response.clone(),
        }
    }
}
