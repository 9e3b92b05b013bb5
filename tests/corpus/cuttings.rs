use std::path::Path;

use fastrand::Rng;

use super::recorded::{Recorded, read};
use super::support::cuttings::{self, Cutting, Whole, assert_same_however_cut};
use super::support::observed_with;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs recorded exchanges: RECONIFY_CORPUS names their folder"]
async fn recorded_exchanges_are_reported_the_same_however_they_are_cut_and_encoded() {
    let corpus = std::env::var("RECONIFY_CORPUS").expect("RECONIFY_CORPUS is set");
    let mut random = cuttings::random();
    // Refusals are counted, and not reported.
    let is_reported = |exchange: &&Recorded| exchange.kind().is_some() && exchange.meta["status"] == 200;
    let exchanges = read(Path::new(&corpus));
    let mut wholes: Vec<Whole> = exchanges.values().filter(is_reported).map(Recorded::whole).collect();
    wholes.sort_by(|one, other| one.response.cmp(&other.response));
    assert!(wholes.len() >= 60, "{} are not enough", wholes.len());

    let half = |start| wholes.iter().skip(start).step_by(2).cloned().collect();
    let halves = [0, 1].map(|start| tokio::spawn(cut_all(half(start), random.fork())));
    let mut ways = 0;
    for half in halves {
        ways += half.await.unwrap();
    }
    println!("{} recorded exchanges reported the same in {ways} cuttings", wholes.len());
}

/// Cuts these exchanges as they were recorded, and gzipped if they were not encoded. Gzipped ones are cut in fewer ways,
/// for the sake of time: their bytes are decoded only once they are together again.
async fn cut_all(exchanges: Vec<Whole>, mut random: Rng) -> usize {
    let mut observed = observed_with(cuttings::config());
    let mut ways = 0;
    for whole in exchanges {
        let cuttings: Vec<_> = Cutting::even(whole.response.len()).chain(Cutting::odd(&mut random)).collect();
        let plain = assert_same_however_cut(&mut observed, &whole, &cuttings).await;
        ways += cuttings.len();
        if whole.coding.is_some() {
            continue;
        }
        for members in [1, 5] {
            let gzipped = whole.gzipped(members).await;
            let cuttings: Vec<_> = match members {
                1 => Cutting::even(gzipped.response.len()).collect(),
                _ => Cutting::odd(&mut random).collect(),
            };
            let told = assert_same_however_cut(&mut observed, &gzipped, &cuttings).await;
            ways += cuttings.len();
            // A body that is not JSON is reported by its length on the wire.
            let length = |whole: &Whole| format!("\"bytes\":{}", whole.response.len());
            let told = told.iter().map(|told| told.replace(&length(&gzipped), &length(&whole)));
            assert!(told.eq(plain.iter().cloned()), "{whole:?} in {members} members");
        }
    }
    ways
}

impl Recorded {
    /// What crosses the layer of it.
    fn whole(&self) -> Whole {
        let text = |name: &str| self.meta[name].as_str().map(str::to_owned);
        Whole {
            path: self.path(),
            request_type: text("request_content_type").unwrap_or_else(|| "application/json".to_owned()),
            request: self.request.clone(),
            response_type: text("content_type"),
            coding: text("raw_encoding").filter(|_| self.folder.join("response.raw").exists()),
            response: self.response.clone(),
        }
    }
}
