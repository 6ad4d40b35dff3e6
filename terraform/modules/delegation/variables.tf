variable "layout" {
  description = "The layout of the trust domain: the output `layout` of the module vault."
  type = object({
    svid_ttls = list(string)
    tenants   = list(object({ name = string, id_prefixes = list(string) }))
    broker    = optional(object({ networks = optional(list(string), []) }), {})
  })
}

variable "issuer" {
  description = "Whose tokens: the end of the auth method's name (signet-jwt-hcp), the issuer as tokens name it, where its keys are (its /.well-known/jwks if not given), and who certified that place (PEM; the public authorities if not given)."
  type = object({
    name     = optional(string, "hcp")
    url      = optional(string, "https://app.terraform.io")
    jwks_url = optional(string)
    ca       = optional(string, "")
  })
  default = {}
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
}

variable "delegations" {
  description = "Which runs may register what, by name. By `terraform` (ids of organisation, project and workspace) or, of another issuer, by `claims`, to the letter. `entries`: how the names of entries and services begin; it cannot be left out where the prefixes are narrower than the tenant's. `networks`: the brokers' addresses, those of the layout if not given. `ttl`: four hours at most."
  type = map(object({
    tenant      = string
    id_prefixes = list(string)
    entries     = optional(string, "")
    terraform   = optional(object({ organization = string, project = string, workspace = string }))
    claims      = optional(map(string), {})
    audience    = optional(string, "signet")
    networks    = optional(list(string))
    ttl         = optional(string, "30m")
  }))
  validation {
    condition     = alltrue([for name in keys(var.delegations) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "A delegation's name is 1 to 63 of a-z, 0-9 and -."
  }
  validation {
    condition     = alltrue([for each in values(var.delegations) : (each.terraform != null) != (length(each.claims) > 0)])
    error_message = "A delegation says which runs it is for in one way: terraform, or claims."
  }
  validation {
    condition = alltrue(flatten([for each in values(var.delegations) : [for name, value in each.claims :
      can(regex("^[A-Za-z][A-Za-z0-9_.:-]{0,127}$", name)) && can(regex("^[!-)+-~]{1,512}$", value)) && !startswith(name, "terraform_")
    ]]))
    error_message = "A claim is a name and a text without star or blank; those of HCP Terraform are given by terraform."
  }
  validation {
    condition     = alltrue(flatten([for each in values(var.delegations) : [for id in values(coalesce(each.terraform, {})) : can(regex("^[!-)+-~]{1,512}$", id))]]))
    error_message = "Organisation, project and workspace are given by their ids, such as ws-mbsd5E3Ktt5Rg2Xm."
  }
  validation {
    condition = alltrue([for each in values(var.delegations) :
      length(each.id_prefixes) > 0 && alltrue([for prefix in each.id_prefixes : can(regex("^([a-z0-9._-]+/)+$", prefix)) && !can(regex("^signet/|(^|/)[.]{1,2}/", prefix))])
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
    condition     = alltrue(flatten([for each in values(var.delegations) : [for network in coalesce(each.networks, []) : can(cidrhost(network, 0))]]))
    error_message = "A network is written as 10.1.0.0/16."
  }
  validation {
    condition = alltrue([for each in values(var.delegations) :
      try(tonumber(regex("^[1-9][0-9]{0,5}", each.ttl)) * { s = 1, m = 60, h = 3600 }[regex("[smh]$", each.ttl)] <= 14400 && can(regex("^[0-9]+[smh]$", each.ttl)), false)
    ])
    error_message = "ttl is a number with s, m or h, such as 30m; four hours at most."
  }
}
