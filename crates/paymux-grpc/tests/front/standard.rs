//! The standard services: health, and reflection by both of its versions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use paymux_core::throttle::Allowance;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1alpha;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn health_is_what_was_seen_last() {
    let world = World::that_allows(Allowance { per_second: 1, at_once: 1 });
    let check = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        HealthClient::new(world.router.clone())
            .check(request)
            .await
            .map(|answer| answer.into_inner().status())
    };
    for service in ["", "paymux.v1.PaymentService", "paymux.v1.RoutingService"] {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(check(service).await.unwrap(), ServingStatus::Serving, "{service}");
    }
    assert_eq!(check("paymux.v2.PaymentService").await.unwrap_err().code(), Code::NotFound);
    world.is_ready.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(check("").await.unwrap(), ServingStatus::NotServing);
    world.is_ready.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(check("").await.unwrap(), ServingStatus::Serving);
    world.shutdown.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        check("").await.unwrap(),
        ServingStatus::NotServing,
        "a node that stops is not sent new calls"
    );
}

#[tokio::test(start_paused = true)]
async fn what_there_is_can_be_asked() {
    let world = World::new();
    let want =
        ["paymux.v1.PaymentService", "paymux.v1.RoutingService", "grpc.health.v1.Health"].map(str::to_owned);
    let ask = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let mut client = ServerReflectionClient::new(world.router.clone());
    let asked = Request::new(futures_util::stream::iter([ask]));
    let mut answers = client.server_reflection_info(asked).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { unreachable!("{answer:?}") };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    assert!(want.iter().all(|name| names.contains(name)), "{names:?}");

    use v1alpha::server_reflection_client::ServerReflectionClient as Older;
    use v1alpha::server_reflection_request::MessageRequest as Ask;
    let ask = v1alpha::ServerReflectionRequest {
        message_request: Some(Ask::FileContainingSymbol("paymux.v1.Payment".to_owned())),
        ..Default::default()
    };
    let asked = Request::new(futures_util::stream::iter([ask]));
    let answers = Older::new(world.router.clone()).server_reflection_info(asked).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap().message_response.unwrap();
    use v1alpha::server_reflection_response::MessageResponse as Told;
    assert!(matches!(answer, Told::FileDescriptorResponse(_)), "{answer:?}");
}
