//! A registry of any size, invented from a seed: the same seed always makes the same files.
//!
//! Each agency has one system, at home in one of the clusters or, one in twenty, at the centre; the
//! services are spread over the systems, and who may use which is drawn by a dice.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One agency in so many is attached to the centre, as base databases are.
const EDGE_EVERY: usize = 20;

/// How many of each there are.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Size {
    pub(crate) clusters: usize,
    pub(crate) agencies: usize,
    pub(crate) services: usize,
    pub(crate) agreements: usize,
    pub(crate) seed: u64,
}

/// The files of one registry.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// What starts: clusters, agencies, systems, and an agent beside each system.
    pub(crate) plan: PathBuf,
    /// What is applied to it.
    pub(crate) registry: PathBuf,
    /// One service of it as it is.
    pub(crate) service: PathBuf,
}

/// What all agreements have in common. They are proposals: nobody has signed them.
const TERMS: &str = r#"[terms]
legal_basis = "a benchmark"
granted_fields = [""]
quota = { per_second = 10, burst = 10, per_day = 100000 }
valid_from = "2024-03-20T00:00:00Z"
valid_until = "2034-03-20T00:00:00Z"
retention_days = 30

"#;

impl Size {
    /// Writes the files into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<Files> {
        let files = Files {
            plan: folder.join("nation.toml"),
            registry: folder.join("registry"),
            service: folder.join("service.toml"),
        };
        std::fs::create_dir_all(&files.registry)?;
        std::fs::write(&files.plan, self.plan())?;
        let services: String = (0..self.services).map(|number| self.service(number, 0)).collect();
        std::fs::write(files.registry.join("services.toml"), services)?;
        std::fs::write(files.registry.join("agreements.toml"), self.agreements())?;
        self.write_change(&files, 0)?;
        Ok(files)
    }

    /// Writes the first service anew, with another total time for each `turn`.
    pub(crate) fn write_change(&self, files: &Files, turn: usize) -> std::io::Result<()> {
        std::fs::write(&files.service, self.service(0, turn))
    }

    /// Where the system of an agency is at home.
    pub(crate) fn home(&self, agency: usize) -> Option<usize> {
        (agency % EDGE_EVERY != EDGE_EVERY - 1).then_some(agency % self.clusters)
    }

    /// The agent of an agency, by its name below the mesh domain.
    pub(crate) fn agent(&self, agency: usize) -> String {
        let home = self.home(agency).map_or("edge".into(), |cluster| format!("c{cluster:02}"));
        format!("desk.a{agency:04}.gov.{home}")
    }

    fn plan(&self) -> String {
        let mut text = String::from(
            "epoch = 1\nrevision = 1\n\n[mesh]\nid = \"ir\"\ndomain = \"mesh.test\"\n\n",
        );
        for cluster in 0..self.clusters {
            let _ = writeln!(
                text,
                "[[clusters]]\nid = \"c{cluster:02}\"\nname_fa = \"خوشهٔ {cluster}\"\n\
                 name_en = \"Cluster {cluster}\"\nhub = true\n"
            );
        }
        for agency in 0..self.agencies {
            let system = system(agency);
            let home = self.home(agency);
            let home = home.map_or(String::new(), |home| format!("cluster = \"c{home:02}\"\n"));
            let _ = writeln!(
                text,
                "[[agencies]]\naddress = \"ir/gov/a{agency:04}\"\n\
                 name_fa = \"دستگاه {agency}\"\nname_en = \"Agency {agency}\"\n\n\
                 [[systems]]\naddress = \"{system}\"\n{home}\n\
                 [[agents]]\nsystem = \"{system}\"\n"
            );
        }
        text
    }

    /// A service of two to five operations.
    fn service(&self, number: usize, turn: usize) -> String {
        let mut dice = Dice::new(self.seed, &[1, number as u64]);
        let mut text = format!(
            "[[services]]\naddress = \"{}\"\ntimeout_ms = {}\noperations = [\n",
            self.address(number),
            5_000 + turn
        );
        for operation in 0..2 + dice.below(4) {
            let _ = writeln!(
                text,
                "  {{ id = \"get{operation}\", kind = \"inquiry\", method = \"GET\", \
                 path = \"/records{operation}/{{id}}\" }},"
            );
        }
        text + "]\n\n"
    }

    /// Who may use what: no pair twice, and nobody its own.
    fn agreements(&self) -> String {
        let mut dice = Dice::new(self.seed, &[2]);
        let mut pairs = BTreeSet::new();
        let mut text = String::from(TERMS);
        while pairs.len() < self.agreements {
            let (consumer, service) = (dice.below(self.agencies), dice.below(self.services));
            if service % self.agencies == consumer || !pairs.insert((consumer, service)) {
                continue;
            }
            let (number, purpose) = (pairs.len(), dice.below(40));
            let _ = writeln!(
                text,
                "[[agreements]]\ntitle = \"p{number:06}\"\nconsumer = \"{}\"\nservice = \"{}\"\n\
                 operations = [\"get0\", \"get1\"]\npurposes = [\"purpose-{purpose:02}\"]\n",
                system(consumer),
                self.address(service)
            );
        }
        text
    }

    fn address(&self, service: usize) -> String {
        format!("{}/s{service:05}.v1", system(service % self.agencies))
    }

    /// Why this cannot be a registry, if it cannot.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self { clusters, agencies, services, agreements, .. } = *self;
        if !(1..=99).contains(&clusters) || !(2..=9_999).contains(&agencies) {
            return Err("want 1 to 99 clusters and 2 to 9999 agencies".into());
        }
        // The dice must find pairs that are still free.
        if !(1..=99_999).contains(&services) || agencies * services / 2 < agreements {
            return Err("want 1 to 99999 services, and agreements for half of all pairs".into());
        }
        Ok(())
    }
}

fn system(agency: usize) -> String {
    format!("ir/gov/a{agency:04}/desk")
}

/// SplitMix64, from a seed and a place, so that each object has a dice of its own.
struct Dice(u64);

impl Dice {
    fn new(seed: u64, place: &[u64]) -> Self {
        place.iter().fold(Self(seed), |mut dice, part| Self(dice.next() ^ part))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Even enough for small numbers.
    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use hubctl::Written;
    use nation::plan::Plan;

    use super::*;

    fn size() -> Size {
        Size { clusters: 3, agencies: 21, services: 50, agreements: 200, seed: 1405 }
    }

    #[test]
    fn one_seed_makes_one_registry_whose_parts_fit() {
        let folder = tempfile::tempdir().unwrap();
        let files = size().write(folder.path()).unwrap();
        let plan = Plan::load(&files.plan).unwrap();
        assert_eq!((plan.objects.clusters.len(), plan.agents.len()), (3, 21));
        let registry = Written::read(&files.registry).unwrap();
        let (services, agreements) = (&registry.objects.services, &registry.objects.agreements);
        assert_eq!((services.len(), agreements.len()), (50, 200));

        size().write_change(&files, 7).unwrap();
        let change = Written::read(&files.service).unwrap();
        assert_eq!(change.objects.services[0].address, services[0].address);
        assert_ne!(change.objects.services[0], services[0]);

        let base = Written::read_with_header::<toml::Table>(
            &files.plan,
            &["epoch", "revision", "mesh", "agents"],
        );
        let all = base.unwrap().1.join(registry).unwrap();
        let directory = all.directory(plan.mesh.clone(), plan.position).unwrap();
        let agents = directory.systems().filter_map(|system| {
            let home = directory.home(&system.address)?;
            Some(mesh_core::node::NodeName::Agent { system: system.address.clone(), home })
        });
        let agents: BTreeSet<String> = agents.map(|agent| agent.to_string()).collect();
        assert_eq!(agents, (0..21).map(|agency| size().agent(agency)).collect());
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(size().agreements(), size().agreements());
        assert_ne!(size().agreements(), Size { seed: 7, ..size() }.agreements());
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        assert_eq!(size().check(), Ok(()));
        assert!(Size { agreements: 600, ..size() }.check().is_err());
        assert!(Size { clusters: 0, ..size() }.check().is_err());
    }
}
