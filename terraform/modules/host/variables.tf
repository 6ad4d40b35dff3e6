variable "tenant" {
  description = "The tenant that the machine belongs to, such as acme/shop."
  type        = string
}

variable "name" {
  description = "The host's name within the tenant."
  type        = string
}

variable "spiffe_id" {
  description = "The SPIFFE ID that the machine's workload gets."
  type        = string
}

variable "ttl" {
  description = "The lifetime of its SVIDs: one that the layout has."
  type        = string
  default     = "15m"
}

variable "networks" {
  description = "From where the machine may spend its grants, such as 10.1.0.0/16. None: from anywhere."
  type        = list(string)
  default     = []
}

variable "appear_within" {
  description = "Within which time of its creation it must show up for the first time, such as 24h; null: whenever it likes."
  type        = string
  default     = "24h"
}

variable "proof" {
  description = "How the machine proves which one it is: exactly one of these, as in the resource signet_host. `aws`: which instance it is, aws_instance says."
  type = object({
    ssh_host_key = optional(string)
    ssh_host_ca  = optional(object({ key = string, principal = string }))
    device       = optional(object({ ca = string, serial = optional(string), fingerprint = optional(string), ins = optional(string) }))
    tpm_ek       = optional(string)
    aws          = optional(bool, false)
    join         = optional(bool, false)
  })
  validation {
    condition = length([for each in [
      var.proof.ssh_host_key != null, var.proof.ssh_host_ca != null, var.proof.device != null, var.proof.tpm_ek != null, var.proof.aws == true, var.proof.join == true,
    ] : each if each]) == 1
    error_message = "A machine proves itself in one way: set one of ssh_host_key, ssh_host_ca, device, tpm_ek, aws and join."
  }
}

variable "aws_instance" {
  description = "With `aws`: the EC2 instance, such as { account = data.aws_caller_identity.this.account_id, instance = aws_instance.web.id }. It is apart from `proof` so that the instance may be made with the user data of this module."
  type        = object({ account = string, instance = string, region = optional(string), image = optional(string) })
  default     = null
}

variable "attest" {
  description = "SIGNET_ATTEST on the machine, where the usual place of the evidence is not the right one. With `device` it must be given: x509:/path/to/key.pem,/path/to/chain.pem."
  type        = string
  default     = null
  validation {
    condition     = var.attest != null || var.proof.device == null
    error_message = "Where key and certificates of the device are is not known: set attest to x509:/path/to/key.pem,/path/to/chain.pem."
  }
  validation {
    condition     = var.attest == null || can(regex("^[^'[:cntrl:]]*$", var.attest))
    error_message = "attest is one line without an apostrophe."
  }
}

variable "trust_domain" {
  description = "The trust domain, such as example.org."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9._-]{1,255}$", var.trust_domain))
    error_message = "It is a trust domain, such as example.org."
  }
}

variable "broker" {
  description = "The broker's address, such as https://broker.example.org:8555, and the authority that it is known by (PEM), which the machine pins."
  type        = object({ url = string, ca = string })
  validation {
    condition     = can(regex("^https://[^/?#@[:space:]']+$", var.broker.url))
    error_message = "The broker's address is https://, a host and a port."
  }
  validation {
    condition     = can(regex("^(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=[:space:]]+-----END CERTIFICATE-----[[:space:]]*)+$", var.broker.ca))
    error_message = "The broker's authority is one or more certificates (PEM), and nothing else."
  }
}

variable "environment" {
  description = "Further settings of the sidecar, such as SIGNET_INBOUND. None of them may be a secret: they stand in state and user data."
  type        = map(string)
  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^(SIGNET|VAULT)_[A-Z_]+$", name))])
    error_message = "Settings of the sidecar begin with SIGNET_ or VAULT_."
  }
  validation {
    condition     = length(setintersection(keys(var.environment), ["SIGNET_TRUST_DOMAIN", "SIGNET_BROKER_URL", "SIGNET_BROKER_CA", "SIGNET_ATTEST", "VAULT_TOKEN"])) == 0
    error_message = "SIGNET_TRUST_DOMAIN, SIGNET_BROKER_URL, SIGNET_BROKER_CA and SIGNET_ATTEST follow from other inputs, and VAULT_TOKEN has no place on a machine."
  }
  validation {
    condition     = alltrue([for value in values(var.environment) : can(regex("^[^'[:cntrl:]]*$", value))])
    error_message = "A setting is one line without an apostrophe."
  }
}

variable "package" {
  description = "The sidecar's package (.deb or .rpm): where the machine gets it by HTTPS, and its SHA-256 (hex), without which nothing is installed. Null: the image has it."
  type        = object({ url = string, sha256 = string })
  default     = null
  validation {
    condition     = var.package == null || can(regex("^https://[A-Za-z0-9._~:/?=&%+-]+[.](deb|rpm)$", var.package.url))
    error_message = "The package's address begins with https:// and ends with .deb or .rpm."
  }
  validation {
    condition     = var.package == null || can(regex("^[0-9a-f]{64}$", var.package.sha256))
    error_message = "sha256 is 64 hexadecimal digits."
  }
}

variable "join_ttl_seconds" {
  description = "With `join`: how long the code may wait until the machine uses it, 10 to 86400 seconds."
  type        = number
  default     = 3600
}
