//! The guide's first example on tokio: `cargo run -p quorate-client --example invoices [CONNECT]`. The same module runs in the simulator:
//! `cargo sim sweep --scenario rr-invoices --seeds 0..1000`.

mod app;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let connect = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:2181".to_owned());
    let client = quorate_client::connect(&connect).await?;
    println!("invoice {}", app::next_number(&client).await?);
    client.close().await;
    Ok(())
}
