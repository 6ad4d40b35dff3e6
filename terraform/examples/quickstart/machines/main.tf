# A service on one machine, and another machine that calls it. The provider finds the broker by SIGNET_BROKER_URL, SIGNET_BROKER_CA and
# SIGNET_TRUST_DOMAIN, and registers by VAULT_TOKEN, or by the run's own token (docs/terraform-provider.md).

terraform {
  required_providers {
    signet = {
      source = "signet/signet"
    }
  }
}

locals {
  trust_domain = "example.org"
  broker       = { url = var.broker_url, ca = file(var.broker_ca) }
}

# Its SSH host key is known, so it is the proof: nothing else ever lies on the machine, and it comes back by itself after any outage.
module "orders" {
  source       = "../../../modules/host"
  tenant       = "acme/shop"
  name         = "orders"
  spiffe_id    = "spiffe://example.org/ns/shop/host/orders"
  trust_domain = local.trust_domain
  broker       = local.broker
  proof        = { ssh_host_key = var.orders_host_key }
  environment = {
    SIGNET_INBOUND = "${var.orders_address}->${var.orders_app}"
  }
}

resource "signet_service" "orders" {
  tenant     = "acme/shop"
  name       = "orders"
  host       = "orders.internal"
  addresses  = [var.orders_address]
  spiffe_ids = [module.orders.spiffe_id]
}

# A new machine, of which nothing is known yet: it takes up its place by a code that is good once.
module "web" {
  source       = "../../../modules/host"
  tenant       = "acme/shop"
  name         = "web"
  spiffe_id    = "spiffe://example.org/ns/shop/host/web"
  trust_domain = local.trust_domain
  broker       = local.broker
  proof        = { join = true }
  environment = {
    SIGNET_OUTBOUND  = var.web_outbound
    SIGNET_UPSTREAMS = "services:-"
  }
}

# In place of a cloud: the user data goes to whoever makes the machine, by a way on which nothing of it stays. Of a cloud's own resource that is
# a write-only argument.
resource "terraform_data" "web" {
  triggers_replace = module.web.id
  provisioner "local-exec" {
    command     = "umask 077 && printf %s \"$USER_DATA\" > \"$SEED\""
    environment = { USER_DATA = module.web.cloud_init_with_code, SEED = var.web_seed }
  }
}

output "orders_user_data" {
  value = module.orders.cloud_init
}
