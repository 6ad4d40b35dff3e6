# Vault: CAs, roles, policies, keys. Applied once, by whoever sets up the trust domain.

module "vault" {
  source       = "../../../modules/vault"
  trust_domain = "example.org"
  tenants      = [{ name = "acme/shop", id_prefixes = ["ns/shop/"] }]
  broker       = { dns = ["localhost"], networks = ["127.0.0.0/8"] }
  audit_file   = var.audit_file
}

variable "audit_file" {
  description = "Where Vault writes its audit log, on its own machine."
  type        = string
}

output "broker" {
  description = "The broker's settings, a line each, as a shell or systemd reads them."
  value       = join("", [for name, value in module.vault.broker_environment : "${name}=${value}\n"])
}

output "root" {
  description = "The root CA (PEM): what machines and this provider know the broker by."
  value       = module.vault.root_certificate
}
