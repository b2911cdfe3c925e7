//! What to try while a nation is up: commands that can be copied into another terminal as they are.

use std::fmt::Write as _;
use std::path::Path;

use mesh_core::node::NodeName;

use crate::ask::agent_of;
use crate::layout::Layout;
use crate::running::Running;
use crate::story::Inquiry;
use crate::tell::Told;
use crate::voice::has_keyboard;

/// The commands, each group under what it shows.
pub fn next_steps(running: &Running, told: &Told, remedy: Option<&Path>) -> String {
    let layout = &running.layout;
    let mut text = String::from("\n■ در پایانه‌ای دیگر\n  Try next, in another terminal\n");
    let mut group = |title: &str, commands: &[Option<String>]| {
        if commands.iter().any(Option::is_some) {
            let _ = writeln!(text, "\n  # {title}");
            for command in commands.iter().flatten() {
                let _ = writeln!(text, "  {command}");
            }
        }
    };
    let curl_of = |step: &Option<(Inquiry, String)>| step.as_ref().and_then(|it| curl(layout, it));
    let (program, config) = (running.hubctl_program(), &layout.hubctl_config);
    // By the environment, so that the lines stay short.
    let export = format!("export HUBCTL_CONFIG={}", config.display());
    let hubctl = |words: &str| Some(format!("{} {words}", program.display()));

    group("Ask as an application does", &[curl_of(&told.across)]);
    let commands = ["status", "topology", "top", "get services"].map(hubctl);
    group("Look at the nation as an operator", &[&[Some(export)], &commands[..]].concat());
    if let Some(remedy) = remedy {
        // Whole, as the other terminal may be in another folder.
        let remedy = remedy.canonicalize().unwrap_or_else(|_| remedy.into());
        let commands = agree(layout, &remedy, told).map(|words| hubctl(&words));
        let commands: Vec<_> = commands.into_iter().chain([curl_of(&told.refused)]).collect();
        group("Agree on what was refused, as all three parties, and ask again", &commands);
    }
    let process =
        running.processes().find(|process| process.name() == NodeName::Centre.to_string());
    if let Some(process) = process {
        let kill = Some(format!("kill -9 {}", process.id()));
        group(
            "Take the centre away: inside a cluster work goes on, between clusters it is refused",
            &[kill, curl_of(&told.inside), curl_of(&told.across)],
        );
        // Without a keyboard there, nobody can.
        if has_keyboard() {
            text.push_str("\n  # Bring it back: press Enter where the nation runs\n");
        }
    }
    text
}

/// What makes the terms in `remedy` an agreement in force: each party signs, then it is handed in.
fn agree(layout: &Layout, remedy: &Path, told: &Told) -> [String; 5] {
    let out = layout.dir.join("agreements");
    // Made here, so that the lines need not.
    let _ = std::fs::create_dir_all(&out);
    let file = out.join("*.agreement").display().to_string();
    let refused = told.refused.as_ref().map(|(inquiry, _)| inquiry);
    let consumer = refused.map_or(String::new(), |it| it.consumer.agency.to_string());
    let provider = refused.map_or(String::new(), |it| it.service.system.agency.to_string());
    let sign =
        |office: &str| format!("agreement sign {file} --key {}", layout.officer(office).display());
    [
        format!("agreement propose {} --out {}", remedy.display(), out.display()),
        sign(&consumer),
        sign(&provider),
        sign("secretariat"),
        format!("agreement submit {file}"),
    ]
}

fn curl(layout: &Layout, (inquiry, path): &(Inquiry, String)) -> Option<String> {
    let Inquiry { consumer, service, purpose, .. } = inquiry;
    let agent = agent_of(layout, consumer)?;
    let purpose = purpose.as_ref().map_or(String::new(), |it| format!(" -H 'Mesh-Purpose: {it}'"));
    Some(format!(
        "curl -i -H 'X-Road-Client: {consumer}'{purpose} \\\n    http://{agent}/r1/{service}{path}"
    ))
}
