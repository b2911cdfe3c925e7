//! A signal asks a node to stop. Alone in its process, which takes no other SIGTERM from here on.

#![cfg(unix)]

use mesh_rt::drain::asked_to_stop;

#[tokio::test]
async fn a_sigterm_asks_to_stop() {
    // The first of the two registers for the signal before the second sends it.
    let terminate = async {
        let kill = format!("kill -TERM {}", std::process::id());
        std::process::Command::new("sh").args(["-c", &kill]).status()
    };
    let (asked, sent) = tokio::join!(biased; asked_to_stop(), terminate);
    assert!(sent.unwrap().success());
    asked.unwrap();
}
