//! The files that a centre loads, and the operators it lets in.

use std::fs;

use mesh_rt::exit::{CmdError, Rehearse as _, sentence};

use crate::files::{Files, Running};

#[test]
fn a_rehearsal_loads_every_file() {
    let files = Files::new();
    fs::write(files.path().join("empty"), "").unwrap();
    files.config("mesh.ir", "mesh.ir").rehearse().unwrap();
    #[rustfmt::skip]
    let cases = [
        // Replace, by, and what is said after the folder.
        ("registry.redb",          "absent",
         "absent: is not there; lay a registry out with `hubctl registry init`"),
        ("directory.pem",          "empty",
         "empty: has no public key in PEM form"),
        ("signing.key",            "empty",
         "empty: has no private key in PKCS#8 PEM form"),
        ("hub.centre/chain.pem",   "empty",
         "empty: has no certificate in PEM form"),
        ("hub.centre/key.pem",     "hub.health/key.pem",
         "hub.health/key.pem: is not the private key of the first certificate in"),
        ("hub.centre/listener-",   "hub.centre/absent-",
         "hub.centre/absent-trust.pem: cannot be read"),
        ("hub.centre/admin-trust", "hub.centre/chain",
         "hub.centre/chain.pem: certificate 1 is of no authority"),
        ("hub.centre",             "hub.health",
         "hub.health/chain.pem: the certificate names hub.health.mesh.ir, and the configuration \
          hub.centre.mesh.ir"),
    ];
    for (from, to, want) in cases {
        let error = files.config(from, to).rehearse().expect_err(want);
        assert!(matches!(error, CmdError::Usage(_)), "{from} → {to}: {error:?}");
        let said = sentence(&error);
        assert!(said.contains(&format!("{}/{want}", files.path().display())), "{said}");
    }
}

#[tokio::test]
async fn an_operator_whose_key_the_directory_does_not_list_is_not_let_in() {
    let files = Files::new();
    let centre = Running::start(&files).await;
    let dial = async |operator| centre.dial(operator).await.map(drop);
    assert_eq!(dial(&files.listed).await, Ok(()));
    let want = "the peer refused our certificate: its key is not active; check our node's entry \
                in the directory";
    assert_eq!(dial(&files.stranger).await, Err(want.into()));
    centre.stop().await;
}
