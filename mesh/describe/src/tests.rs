//! Descriptions of every language that are read, and some that are refused.

use prost::Message as _;
use prost_types::{
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};

use super::*;

const JSON: &str = r#"{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {
    "/persons/{id}": {"parameters": [], "get": {"operationId": "getPerson"}, "head": {}},
    "/persons/match": {"post": {}},
    "/persons/{id}.xml": {"get": {}}
}}"#;

const YAML: &str = r#"
openapi: 3.0.3
info: &info { title: t, version: "1" }
paths:
  /persons/{id}:
    summary: one person
    get: &get
      operationId: getPerson
      responses: { "200": { description: ok } }
    head: *get
  /persons/match:
    post: *get
"#;

const WSDL: &str = r#"<?xml version="1.0"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" name="Debts">
  <w:portType name="Debts"><w:operation name="GetDebt"/><w:operation name="PayDebt"/></w:portType>
  <w:binding name="b"><w:operation name="GetDebt"/></w:binding>
</w:definitions>"#;

fn descriptor_set() -> Vec<u8> {
    let method =
        |name: &str| MethodDescriptorProto { name: Some(name.into()), ..Default::default() };
    let service = ServiceDescriptorProto {
        name: Some("Debts".into()),
        method: vec![method("Get"), method("List")],
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some("debts.proto".into()),
        package: Some("tax.v1".into()),
        service: vec![service],
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

fn told(media_type: MediaType, content: &[u8]) -> Vec<String> {
    assert_eq!(guess(content), media_type, "{}", media_type.name());
    read(media_type, content).unwrap().calls.iter().map(words).collect()
}

#[test]
fn reads_the_calls_of_every_language() {
    let http = ["GET /persons/{id}", "HEAD /persons/{id}", "POST /persons/match"];
    let sorted = |mut calls: Vec<String>| {
        calls.sort();
        calls
    };
    assert_eq!(sorted(told(MediaType::OpenApiJson, JSON.as_bytes())), http);
    assert_eq!(sorted(told(MediaType::OpenApiYaml, YAML.as_bytes())), http);
    assert_eq!(told(MediaType::Wsdl, WSDL.as_bytes()), ["SOAP GetDebt", "SOAP PayDebt"]);
    let grpc = ["gRPC tax.v1.Debts/Get", "gRPC tax.v1.Debts/List"];
    assert_eq!(told(MediaType::Protobuf, &descriptor_set()), grpc);
}

#[test]
fn refuses_what_cannot_be_read_and_says_what_to_look_at() {
    use MediaType::{OpenApiJson, OpenApiYaml, Protobuf, Wsdl};
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs += &format!("a{level}: &a{level} [{below}]\n");
    }
    let dtd = format!("<!DOCTYPE w [<!ENTITY a \"b\">]>{}", WSDL.split_once("?>").unwrap().1);
    #[rustfmt::skip]
    let cases: &[(MediaType, &str, &str)] = &[
        (OpenApiJson, "",                                    "is 0 bytes long"),
        (OpenApiJson, "{",                                   "is no JSON: EOF while parsing"),
        (OpenApiJson, "{}",                                  "it has no `openapi` with a version"),
        (OpenApiJson, r#"{"openapi": "4.0"}"#,               "its version is \"4.0\""),
        (OpenApiJson, r#"{"openapi": "3.0.0"}"#,             "it has no `paths`"),
        (OpenApiJson, r#"{"openapi": "3.0.0", "paths": {}}"#, "describes no call"),
        (OpenApiJson, r#"{"openapi": "3.0.0", "paths": {"/": 7}}"#, "is no object"),
        (OpenApiYaml, "a: [",                                "is no YAML"),
        (OpenApiYaml, "a: 1\na: 2",                          "a map has a key twice"),
        (OpenApiYaml, "[a]: 1",                              "the key of a map is no text"),
        (OpenApiYaml, "a: 1\n---\nb: 2",                     "more than one document"),
        (OpenApiYaml, "a: &a [*a]",                          "is no YAML"),
        (OpenApiYaml, &deep,                                 "levels deep"),
        (OpenApiYaml, &laughs,                               "more than 200000 values"),
        (Protobuf,    "\u{7f}",                              "is no protobuf descriptor set"),
        (Wsdl,        "<a/>",                                "its root is no element of WSDL"),
        (Wsdl,        "<a",                                  "is no XML"),
        (Wsdl,        &dtd,                                  "is no XML"),
    ];
    for (media_type, content, want) in cases {
        let error = read(*media_type, content.as_bytes()).expect_err(want).to_string();
        assert!(error.contains(want), "{error:?} does not say {want:?}");
    }
    let long = vec![b' '; DESCRIPTION_BYTES_MAX + 1];
    assert!(read(OpenApiJson, &long).is_err());
    assert_eq!(read(OpenApiJson, &[0xff]), Err(Unreadable::Encoding));
}
