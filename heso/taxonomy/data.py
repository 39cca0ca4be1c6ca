"""The published taxonomies of HESO/1, as one table (CC BY 4.0; see NOTICE beside this file).

Classes stand in order of priority: moving value, destroying, changing authority, disclosing, calling a model, sending
a message, reaching any host, computing locally, and what none of these names. The hosts of well-known providers are
packs of their own; the legacy bundle has them inside its classes, in front.
"""

from dataclasses import replace

from heso.core.receipt import Verb
from heso.taxonomy.model import (
    Always,
    ArgvToken,
    Extension,
    FactFlag,
    Form,
    HostSet,
    MethodSet,
    PathGlob,
    ResourceClass,
    Row,
    RowThreshold,
    Taxonomy,
    hash_taxonomy,
)

CORE = (
    ResourceClass(
        "payment_endpoint",
        Verb.PAYMENT,
        "spend",
        (
            PathGlob(
                (
                    "/v*/payment_intents*",
                    "/v*/charges*",
                    "/v*/payouts*",
                    "/v*/transfers*",
                    "/payments/**",
                    "/wire/**",
                    "/ach/**",
                    "/v*/refunds*",
                )
            ),
            FactFlag("is_payment"),
        ),
    ),
    ResourceClass(
        "destructive_op",
        Verb.DELETE,
        "destroy",
        (
            MethodSet(("DELETE",)),
            ArgvToken(
                (
                    "drop",
                    "truncate",
                    "delete",
                    "destroy",
                    "rm",
                    "rmdir",
                    "unlink",
                    "wipe",
                    "purge",
                    "terminate",
                    "teardown",
                )
            ),
            FactFlag("effect_destructive"),
        ),
    ),
    ResourceClass(
        "identity_endpoint",
        Verb.ACCOUNT_CHANGE,
        "grant",
        (
            PathGlob(
                (
                    "/iam/**",
                    "/v*/roles*",
                    "/v*/policies*",
                    "/v*/permissions*",
                    "/v*/users*",
                    "/v*/service_accounts*",
                    "/oauth/**",
                    "/scim/v*/**",
                )
            ),
            FactFlag("is_identity_change"),
        ),
    ),
    ResourceClass(
        "secret_store",
        Verb.DATA_EXPORT,
        "transfer_out",
        (
            PathGlob(
                (
                    "**/.env",
                    "**/.env.*",
                    "**/*.pem",
                    "**/id_rsa",
                    "**/id_ed25519",
                    "**/id_*",
                    "**/.aws/credentials",
                    "**/.ssh/**",
                    "**/*.key",
                    "**/kubeconfig",
                    "**/.netrc",
                )
            ),
            FactFlag("is_secret"),
        ),
    ),
    ResourceClass(
        "bulk_data",
        Verb.DATA_EXPORT,
        "transfer_out",
        (
            RowThreshold(1000),
            FactFlag("row_count_unknown"),
        ),
    ),
    ResourceClass(
        "model_endpoint",
        Verb.LLM_CALL,
        "observe",
        (
            PathGlob(
                (
                    "/v*/chat/completions*",
                    "/v*/completions*",
                    "/v*/embeddings*",
                    "/v*/messages*",
                    "/v*/responses*",
                )
            ),
            FactFlag("is_model_call"),
        ),
    ),
    ResourceClass(
        "messaging_endpoint",
        Verb.HTTP_REQUEST,
        "transfer_out",
        (
            PathGlob(
                (
                    "/api/chat.postMessage*",
                    "/v*/mail/send*",
                    "/2010-04-01/Accounts/**",
                    "/v*/me/sendMail*",
                )
            ),
        ),
    ),
    ResourceClass(
        "generic_network",
        Verb.HTTP_REQUEST,
        "transfer_out",
        (
            FactFlag("has_host"),
            MethodSet(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH")),
        ),
    ),
    ResourceClass("local_compute", Verb.TOOL_CALL, "mutate", (FactFlag("is_local_compute"),)),
    ResourceClass("unresolved", Verb.TOOL_CALL, "effect_unknown", (Always(),)),
)

EXTENSIONS = (
    Extension(
        "heso/payment-providers",
        "payment_endpoint",
        (
            HostSet(
                hosts=(
                    "api.stripe.com",
                    "api.adyen.com",
                    "api.paypal.com",
                    "api.payments.jpmorgan.com",
                ),
                suffixes=(
                    ".stripe.com",
                    ".adyen.com",
                    ".braintreegateway.com",
                    ".paypal.com",
                    ".squareup.com",
                    ".checkout.com",
                    ".razorpay.com",
                    ".mollie.com",
                    ".wise.com",
                    ".plaid.com",
                    ".dwolla.com",
                    ".gocardless.com",
                    ".payments.jpmorgan.com",
                    ".coinbase.com",
                ),
            ),
        ),
    ),
    Extension(
        "heso/identity-providers",
        "identity_endpoint",
        (
            HostSet(
                hosts=("iam.amazonaws.com", "sts.amazonaws.com"),
                suffixes=(
                    ".iam.amazonaws.com",
                    ".sts.amazonaws.com",
                    ".okta.com",
                    ".auth0.com",
                    ".onelogin.com",
                    ".pingidentity.com",
                    ".login.microsoftonline.com",
                    ".accounts.google.com",
                    ".admin.googleapis.com",
                ),
            ),
        ),
    ),
    Extension(
        "heso/secret-stores",
        "secret_store",
        (
            HostSet(
                hosts=(),
                suffixes=(
                    ".secretsmanager.amazonaws.com",
                    ".vault.hashicorp.cloud",
                    ".secretmanager.googleapis.com",
                    ".vault.azure.net",
                ),
            ),
        ),
    ),
    Extension(
        "heso/model-providers",
        "model_endpoint",
        (
            HostSet(
                hosts=("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com"),
                suffixes=(
                    ".openai.com",
                    ".anthropic.com",
                    ".cohere.ai",
                    ".cohere.com",
                    ".bedrock.amazonaws.com",
                    ".mistral.ai",
                    ".together.xyz",
                    ".groq.com",
                    ".perplexity.ai",
                    ".openai.azure.com",
                    ".cognitiveservices.azure.com",
                ),
            ),
        ),
    ),
    Extension(
        "heso/messaging-providers",
        "messaging_endpoint",
        (
            HostSet(
                hosts=("slack.com", "discord.com"),
                suffixes=(
                    ".slack.com",
                    ".sendgrid.net",
                    ".twilio.com",
                    ".mailgun.net",
                    ".postmarkapp.com",
                    ".graph.microsoft.com",
                    ".discord.com",
                    ".telegram.org",
                ),
            ),
        ),
    ),
)

# The legacy bundle takes every Google API for a model, and does not know the fact of an unknown row count.
_LEGACY_MODEL_HOSTS = HostSet(
    hosts=("api.openai.com", "api.anthropic.com"),
    suffixes=(
        ".openai.com",
        ".anthropic.com",
        ".googleapis.com",
        ".cohere.ai",
        ".cohere.com",
        ".bedrock.amazonaws.com",
        ".mistral.ai",
        ".together.xyz",
        ".groq.com",
        ".perplexity.ai",
        ".openai.azure.com",
        ".cognitiveservices.azure.com",
    ),
)
_NOT_IN_LEGACY = FactFlag("row_count_unknown")


def make_current() -> Taxonomy:
    """The bundle of the open specification: each extension's rows behind those of its class."""
    added = {one.target: one.rows for one in EXTENSIONS}
    classes = tuple(replace(one, rows=(*one.rows, *added.get(one.id, ()))) for one in CORE)
    return _name(classes, "current")


def make_legacy() -> Taxonomy:
    """The bundle that the format's reference carries: the hosts in front."""
    added: dict[str, tuple[Row, ...]] = {one.target: one.rows for one in EXTENSIONS}
    added["model_endpoint"] = (_LEGACY_MODEL_HOSTS,)
    classes = tuple(
        replace(
            one,
            rows=(
                *added.get(one.id, ()),
                *(row for row in one.rows if row != _NOT_IN_LEGACY),
            ),
        )
        for one in CORE
    )
    return _name(classes, "legacy")


def _name(classes: tuple[ResourceClass, ...], form: Form) -> Taxonomy:
    extensions = EXTENSIONS if form == "current" else ()
    return Taxonomy(classes, hash_taxonomy(classes, form, extensions))
