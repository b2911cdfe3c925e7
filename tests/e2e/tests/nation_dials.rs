//! The sample nation under bypass: no hub lets another hub in, for all ordered pairs of clusters,
//! and no system of a cluster reaches the centre past its hub. Every certificate shown is genuine.

use std::net::SocketAddr;

use e2e::dial::{Dialled, dial};
use e2e::sample::{SampleNation, Secretariat};
use nation::layout::NodeLayout;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_past_the_centre() {
    let sample = SampleNation::start().await;
    no_cluster_reaches_another(&sample).await;
    no_system_of_a_cluster_reaches_the_centre(&sample).await;
}

/// Who dials for a cluster: its hub, or where there is none the agent of its secretariat.
fn dialler<'s>(sample: &'s SampleNation, of: &Secretariat) -> &'s NodeLayout {
    match of.has_hub {
        true => sample.node(&format!("hub.{}", of.cluster)),
        false => sample.agent(&of.system),
    }
}

/// What can be dialled of a cluster: its hub's mesh port. A cluster without a hub has no port for
/// links at all; what its agent binds on loopback is where applications and operators ask.
fn ports(sample: &SampleNation, of: &Secretariat) -> Vec<SocketAddr> {
    match of.has_hub {
        true => dialler(sample, of).mesh.into_iter().collect(),
        false => {
            let agent = sample.agent(&of.system);
            assert_eq!(agent.mesh, None, "an agent has no port for links");
            agent.local.into_iter().chain([agent.admin]).collect()
        }
    }
}

async fn dialled(from: &NodeLayout, to: SocketAddr) -> Dialled {
    dial(to, Some((&from.issued.chain_file, &from.issued.key_file))).await
}

async fn no_cluster_reaches_another(sample: &SampleNation) {
    let secretariats = sample.secretariats();
    let (mut refused, mut without_tls) = (0, 0);
    for to in &secretariats {
        let name = format!("hub.{}", to.cluster);
        let before = to.has_hub.then(|| sample.count(&name, "handshakes_refused"));
        for from in secretariats.iter().filter(|from| from.cluster != to.cluster) {
            let own = dialler(sample, from);
            for port in ports(sample, to) {
                let came = dialled(own, port).await;
                match (to.has_hub, &came) {
                    // The handshake ends with a fatal alert, before any byte of data.
                    (true, Dialled::Alert(_)) => {}
                    // It answers our TLS with something else, and looks at no certificate.
                    (false, Dialled::Broken(why)) if why.contains("InvalidContentType") => {}
                    _ => panic!("{} dials {} at {port}: {came:?}", own.name, to.cluster),
                }
                if from.cluster == "economy" || !from.has_hub {
                    println!("{} dials {} at {port}: {came:?}", own.name, to.cluster);
                }
            }
            match to.has_hub {
                true => refused += 1,
                false => without_tls += 1,
            }
        }
        if let Some(before) = before {
            let after = sample.count(&name, "handshakes_refused");
            assert_eq!(after - before, 13, "{name} counts each");
        }
    }
    println!(
        "{refused} ordered pairs were refused in the handshake; {without_tls} found no port that \
         speaks TLS"
    );
    assert_eq!((refused, without_tls), (13 * 13, 13), "together 14 × 13");
}

async fn no_system_of_a_cluster_reaches_the_centre(sample: &SampleNation) {
    let centre = sample.node("hub.centre").mesh.expect("it listens");
    for of in sample.secretariats() {
        let own = sample.agent(&of.system);
        let came = dialled(own, centre).await;
        println!("{} dials hub.centre: {came:?}", own.name);
        match of.has_hub {
            true => assert!(matches!(came, Dialled::Alert(_)), "{}: {came:?}", own.name),
            false => assert_eq!(came, Dialled::LetIn, "without a hub the centre is its home"),
        }
    }
}
