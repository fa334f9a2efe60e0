//! The guide's first example on tokio, unchanged: several number invoices, and lose their connections meanwhile.

use crate::{Target, soon};
use quorate_client::{Client, CreateOptions};
use std::time::Duration;

#[path = "../../client/examples/invoices/app.rs"]
mod app;

const CLIENTS: usize = 4;
const EACH: usize = 15;

async fn number(client: Client) -> Vec<u64> {
    let mut given = Vec::new();
    while given.len() < EACH {
        // With an error none is given.
        given.extend(app::next_number(&client).await);
    }
    client.close().await;
    given
}

#[tokio::test]
async fn no_invoice_number_is_given_twice() {
    let target = Target::start();
    let (proxies, connect) = target.proxies();
    let home = format!("/client-test-{}-invoices", std::process::id());
    let mut numbering = Vec::new();
    for _ in 0..CLIENTS {
        let client = quorate_client::connect(&connect).await.unwrap();
        let _ = client.create(&home, "", &CreateOptions::persistent()).await;
        numbering.push(tokio::spawn(number(client.at(&home).unwrap())));
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        proxies.cut();
        proxies.heal();
    }
    let mut given = Vec::new();
    for numbers in numbering {
        given.extend(soon("all are numbered", numbers).await.unwrap());
    }
    given.sort_unstable();
    let twice: Vec<_> = given.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert!(twice.is_empty(), "given twice: {twice:?} of {given:?}");
}
