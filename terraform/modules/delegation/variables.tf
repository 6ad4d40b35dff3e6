variable "layout" {
  description = "The layout of the trust domain: the output `layout` of the module vault. Without it, the one that Vault keeps."
  type = object({
    svid_ttls = list(string)
    tenants   = list(object({ name = string, id_prefixes = list(string) }))
    broker    = optional(object({ networks = optional(list(string), []) }), {})
  })
  default = null
}

variable "issuer" {
  description = "Whose tokens: the end of the auth method's name (signet-jwt-hcp), the issuer as tokens name it, where its keys are (its /.well-known/jwks if not given), and who certified that place (PEM; the public authorities if not given)."
  type = object({
    name     = optional(string, "hcp")
    url      = optional(string, "https://app.terraform.io")
    jwks_url = optional(string)
    ca       = optional(string, "")
  })
  default  = {}
  nullable = false
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,29}[a-z0-9])?$", var.issuer.name))
    error_message = "The issuer's name is 1 to 31 of a-z, 0-9 and -."
  }
  validation {
    condition = alltrue([for url in compact([var.issuer.url, var.issuer.jwks_url]) :
      can(regex("^(https://[^/?#@[:space:]]+|http://(localhost|127([.][0-9]+){3}|[[]::1[]])(:[0-9]+)?)(/[^?#[:space:]]*)?$", url))
    ])
    error_message = "The addresses of the issuer and of its keys begin with https:// (http:// on loopback alone), without user, query or fragment."
  }
  validation {
    condition     = var.issuer.ca == "" || can(regex("(?s)^-----BEGIN CERTIFICATE-----.+-----END CERTIFICATE-----$", trimspace(var.issuer.ca)))
    error_message = "ca is not a certificate in PEM."
  }
}

variable "delegations" {
  description = "Which runs may register what, by name. By `terraform` (ids of organisation, project and workspace) or, of another issuer, by `claims`, to the letter; `ansible` is the same for a controller of Ansible. `entries`: how the names of entries and services begin; it cannot be left out with `ansible`, and where the prefixes are narrower than the tenant's. `networks`: the brokers' addresses, those of the layout if not given; none (`[]`) is from everywhere. `ttl`: four hours at most."
  type = map(object({
    tenant      = string
    id_prefixes = list(string)
    entries     = optional(string, "")
    terraform   = optional(object({ organization = string, project = string, workspace = string }))
    claims      = optional(map(string), {})
    ansible     = optional(map(string), {})
    audience    = optional(string, "signet")
    networks    = optional(list(string))
    ttl         = optional(string, "30m")
  }))
  nullable = false
  validation {
    condition     = alltrue([for name in keys(var.delegations) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "A delegation's name is 1 to 63 of a-z, 0-9 and -."
  }
  validation {
    condition     = alltrue([for each in values(var.delegations) : length([for one in [each.terraform != null, length(each.claims) > 0, length(each.ansible) > 0] : one if one]) == 1])
    error_message = "A delegation says which runs it is for in one way: terraform, claims or ansible."
  }
  validation {
    condition = alltrue([for each in values(var.delegations) : alltrue([for name, value in merge(each.claims, each.ansible) :
      can(regex("^[A-Za-z][A-Za-z0-9_.:-]{0,127}$", name)) && can(regex("^[!-)+-~]{1,512}$", value)) && !startswith(name, "terraform_")
    ]) && length(merge(each.claims, each.ansible)) <= 16])
    error_message = "A claim is a name and a text without star or blank, and there are 16 at most; those of HCP Terraform are given by terraform."
  }
  validation {
    condition     = alltrue([for each in values(var.delegations) : length(each.ansible) == 0 || each.entries != ""])
    error_message = "A controller of Ansible needs entries: how the names of the hosts begin that it may register."
  }
  validation {
    condition = alltrue([for each in values(var.delegations) : each.terraform == null ? true : alltrue([
      can(regex("^org-[A-Za-z0-9]{1,64}$", each.terraform.organization)),
      can(regex("^prj-[A-Za-z0-9]{1,64}$", each.terraform.project)),
      can(regex("^ws-[A-Za-z0-9]{1,64}$", each.terraform.workspace)),
    ])])
    error_message = "Organisation, project and workspace are given by their ids, such as ws-mbsd5E3Ktt5Rg2Xm: a name can be given up and taken by others."
  }
  validation {
    condition     = alltrue([for each in values(var.delegations) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){0,3}$", each.tenant))])
    error_message = "A tenant is one to four names of a-z, 0-9 and -, joined by /."
  }
  validation {
    condition = alltrue([for each in values(var.delegations) :
      length(each.id_prefixes) > 0 && length(each.id_prefixes) <= 64 && alltrue([for prefix in each.id_prefixes : can(regex("^([a-z0-9._-]+/)+$", prefix)) && !can(regex("^signet/|(^|/)[.]{1,2}/", prefix))])
    ])
    error_message = "A prefix is a path such as ns/shop/web/: lower-case segments, each followed by a slash. A delegation has at least one."
  }
  validation {
    condition     = alltrue([for each in values(var.delegations) : can(regex("^([a-z0-9]([a-z0-9-]{0,61}))?$", each.entries))])
    error_message = "entries is how names begin, such as web-: a-z, 0-9 and -."
  }
  validation {
    condition     = alltrue([for each in values(var.delegations) : can(regex("^[!-)+-~]{1,512}$", each.audience))])
    error_message = "An audience is a text without star or blank."
  }
  validation {
    condition = alltrue([for each in values(var.delegations) : each.networks == null ? true : (
      length(each.networks) <= 64 && alltrue([for network in each.networks : try(cidrsubnet(network, 0, 0) == network, false)])
    )])
    error_message = "A network is written as 10.1.0.0/16, by its first address; there are 64 at most."
  }
  validation {
    condition = alltrue([for each in values(var.delegations) :
      try(tonumber(regex("^[1-9][0-9]{0,5}", each.ttl)) * { s = 1, m = 60, h = 3600 }[regex("[smh]$", each.ttl)] <= 14400 && can(regex("^[0-9]+[smh]$", each.ttl)), false)
    ])
    error_message = "ttl is a number with s, m or h, such as 30m; four hours at most."
  }
}
