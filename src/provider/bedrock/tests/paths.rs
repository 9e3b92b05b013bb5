use super::*;

fn recognised(path: &str) -> Option<Operation> {
    (PROVIDER.recognise)(path)
}

#[test]
fn calls_are_recognised_under_any_prefix() {
    for prefix in ["", "/bedrock", "/api/v1"] {
        for id in [
            "anthropic.claude-v2",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.anthropic.claude-haiku-4-5-20251001-v1%3A0",
            "ai21.jamba-1-5-mini-v1%3A0",
            "zai.glm-4.6",
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2F1arbu5hu2sjr",
            "arn:aws:bedrock:us-east-1::foundation-model%2famazon.titan-tg1-large",
        ] {
            for (method, operation) in [
                ("converse", Operation::BedrockConverse),
                ("converse-stream", Operation::BedrockConverse),
                ("invoke", Operation::BedrockInvoke),
                ("invoke-with-response-stream", Operation::BedrockInvoke),
            ] {
                let path = format!("{prefix}/model/{id}/{method}");
                assert_eq!(recognised(&path), Some(operation), "{path}");
            }
        }
    }
}

#[test]
fn other_paths_are_not_recognised() {
    for path in [
        "",
        "/converse",
        "/model/converse",
        "/model//converse",
        "/models/a.b/converse",
        "/amodel/a.b/converse",
        "model/a.b/converse",
        "/model/a/b/converse",
        "/model/a.b/converse/",
        "/model/a.b/xconverse",
        "/model/a.b/traverse",
        "/model/a.b/revoke",
        "/model/a.b/count-tokens",
        "/model/a.b/async-invoke",
        "/async-invoke",
        "/model/a.b/invoke-with-bidirectional-stream",
        "/guardrail/g/version/1/apply",
        // Routes of an application.
        "/model/house-prices/invoke",
        "/model/v1.2/invoke",
        "/model/llama3.1-8b/invoke",
        "/model/gpt-4.1/converse",
        "/model/7/converse",
        "/api/model/house-prices/converse-stream",
        "/model/.a/converse",
        "/model/a./converse",
    ] {
        assert_eq!(recognised(path), None, "{path}");
    }
}

#[test]
fn models_for_images_embeddings_and_ranking_are_not_invoked_by_a_chat() {
    for id in [
        "stability.sd3-5-large-v1:0",
        "us.stability.stable-image-inpaint-v1%3A0",
        "amazon.titan-image-generator-v2:0",
        "amazon.nova-canvas-v1:0",
        "amazon.titan-embed-text-v2:0",
        "us.cohere.embed-v4:0",
        "cohere.rerank-v3-5:0",
        "arn:aws:bedrock:us-west-2::foundation-model%2Famazon.rerank-v1:0",
        "arn:aws:bedrock:us-west-2::foundation-model%2Fstability.sd3",
    ] {
        assert_eq!(recognised(&format!("/model/{id}/invoke")), None, "{id}");
    }
    assert!(recognised("/model/amazon.nova-pro-v1:0/invoke").is_some());
}
