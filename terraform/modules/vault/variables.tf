# The same as the layout document of `signet vault apply`.

variable "trust_domain" {
  description = "The SPIFFE trust domain, such as example.org. It cannot be changed: a CA is never replaced."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9._-]{1,255}$", var.trust_domain))
    error_message = "A trust domain is made of a-z 0-9 . _ -."
  }
}

variable "svid_ttls" {
  description = "Lifetimes of SVIDs that an entry may choose."
  type        = list(string)
  default     = ["15m", "1h"]
  validation {
    condition     = length(var.svid_ttls) > 0 && alltrue([for ttl in var.svid_ttls : can(regex("^[1-9][0-9]{0,5}[smh]$", ttl))])
    error_message = "Lifetimes are numbers with s, m or h, such as 15m; there is at least one."
  }
  validation {
    condition     = length(distinct([for ttl in var.svid_ttls : try(tonumber(regex("^[0-9]+", ttl)) * { s = 1, m = 60, h = 3600 }[substr(ttl, -1, 1)], ttl)])) == length(var.svid_ttls)
    error_message = "The same lifetime is there twice."
  }
  validation {
    condition     = alltrue([for ttl in var.svid_ttls : try(tonumber(regex("^[0-9]+", ttl)) * { s = 1, m = 60, h = 3600 }[substr(ttl, -1, 1)], 0) <= 604800])
    error_message = "A lifetime is seven days (168h) at most."
  }
}

variable "tenants" {
  description = "Tenants, and the prefixes of the SPIFFE ID paths that each may register. Unrelated tenants' prefixes have to lie apart."
  type = list(object({
    name        = string
    id_prefixes = list(string)
  }))
  default = []
  validation {
    condition     = alltrue([for tenant in var.tenants : can(regex("^[a-z0-9-]+(/[a-z0-9-]+){0,3}$", tenant.name))])
    error_message = "A tenant's name is one to four names of a-z 0-9 - joined by /."
  }
  validation {
    condition = alltrue(flatten([for tenant in var.tenants : [
      length(tenant.id_prefixes) > 0,
      [for prefix in tenant.id_prefixes : can(regex("^([a-z0-9._-]+/)+$", prefix)) && !can(regex("^signet/|(^|/)[.]{1,2}/", prefix))],
    ]]))
    error_message = "A prefix is a path such as ns/shop/: lower-case segments, each followed by a slash, not below signet/. A tenant has at least one."
  }
  validation {
    condition = alltrue(flatten([for a in var.tenants : [for b in var.tenants : [for p in a.id_prefixes : [for q in b.id_prefixes :
      a.name == b.name || !startswith(q, p) || (startswith(b.name, "${a.name}/") && p != q)
    ]]]])) && length(distinct(var.tenants[*].name)) == length(var.tenants)
    error_message = "A tenant is there twice, or can register IDs of another."
  }
}

variable "broker" {
  description = "DNS names that the broker's certificate may carry, how long a secret_id logs in, and from which networks (none: from any)."
  type = object({
    dns           = optional(list(string), [])
    secret_id_ttl = optional(string, "2160h")
    networks      = optional(list(string), [])
  })
  default = {}
  validation {
    condition     = alltrue([for name in var.broker.dns : can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", name))])
    error_message = "A DNS name is in lower case, without a star."
  }
  validation {
    condition     = can(regex("^[1-9][0-9]{0,5}[smh]$", var.broker.secret_id_ttl))
    error_message = "secret_id_ttl is a number with s, m or h, such as 2160h."
  }
  validation {
    condition     = alltrue([for network in var.broker.networks : can(cidrhost(network, 0))])
    error_message = "A network is written as 10.1.0.0/16."
  }
}

variable "root" {
  description = "`vault`: the root CA is made in this Vault. `external`: the output `csr` is signed elsewhere and comes back as signed_intermediate."
  type        = string
  default     = "vault"
  validation {
    condition     = contains(["vault", "external"], var.root)
    error_message = "The root is vault or external."
  }
}

variable "signed_intermediate" {
  description = "With an external root: the issuing CA that it signed, followed by the certificates above it up to the root (PEM)."
  type        = string
  default     = null
}

variable "policy_certificate_ttl" {
  description = "How long the certificate of the key that signs policies lives; an apply in the second half of it renews it. Shorter where the issuing CA ends before."
  type        = string
  default     = "8760h"
  validation {
    condition     = can(regex("^[1-9][0-9]{0,3}h$", var.policy_certificate_ttl)) && tonumber(trimsuffix(var.policy_certificate_ttl, "h")) <= 8760
    error_message = "It is a number of hours such as 1440h, at most 8760h."
  }
}

variable "public_url" {
  description = "Where verifiers reach Vault for issuers and CRLs, such as https://vault.example.org. None: certificates carry no address."
  type        = string
  default     = null
  validation {
    condition     = var.public_url == null || can(regex("^https?://[^/?#@]+/?$", var.public_url))
    error_message = "The address is scheme, host and port, such as https://vault.example.org."
  }
}

variable "kubernetes" {
  description = "Brokers also log in by Kubernetes auth: `mount` is the path of an auth method that is there already, in which the role broker is written."
  type = object({
    mount           = string
    namespace       = optional(string, "signet")
    service_account = optional(string, "signet-broker")
    audience        = optional(string, "vault")
  })
  default = null
}

variable "audit_file" {
  description = "A file for Vault's audit log (on Vault's machine). None: audit devices are looked after elsewhere."
  type        = string
  default     = null
}

variable "adopt" {
  description = "`signet vault apply` has set this Vault up: its CAs, certificates and documents are left as they are. Engines, auth methods, policies and the layout's document are imported."
  type        = bool
  default     = false
}
