variable "issuer" {
  description = "Whose tokens: as they name it, where its keys are (`jwks_url`; without it /.well-known/jwks at its `url`), who certified that place (`ca`, PEM; without it the public authorities), and the end of the auth method's name (signet-jwt-hcp). HCP Terraform if not given."
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
    error_message = "The name is 1 to 31 of a-z 0-9 -."
  }
  validation {
    condition = alltrue([for url in [var.issuer.url, coalesce(var.issuer.jwks_url, var.issuer.url)] :
      length(url) <= 512 && can(regex("^(https://([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])|http://(localhost|127[.][0-9]+[.][0-9]+[.][0-9]+|\\[::1\\]))(:[0-9]{1,5})?(/[^?#[:space:]]*)?$", url))
    ])
    error_message = "Addresses are https://…, without a user, a query or a fragment."
  }
  validation {
    condition     = var.issuer.ca == "" || can(regex("(?s)^-----BEGIN CERTIFICATE-----.+-----END CERTIFICATE-----$", trimspace(var.issuer.ca)))
    error_message = "ca is not a certificate in PEM."
  }
}

variable "delegations" {
  description = "What runs may register, by the name of each delegation: by which tokens they are known (one of `terraform`: the ids of a workspace of HCP Terraform; `ci`, `ansible`: the claims to ask for), the tenant and the prefixes of its SPIFFE ID paths, how the names of entries and services begin, the brokers' networks (those of the layout if not given), for whom the tokens are, and how long the right lasts."
  type = map(object({
    terraform = optional(object({
      organization = string
      project      = string
      workspace    = string
    }))
    ci          = optional(map(string))
    ansible     = optional(map(string))
    tenant      = string
    id_prefixes = list(string)
    entries     = optional(string, "")
    networks    = optional(list(string), [])
    audience    = optional(string, "signet")
    ttl         = optional(string, "30m")
  }))
  nullable = false
  validation {
    condition     = alltrue([for name in keys(var.delegations) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "A delegation's name is 1 to 63 of a-z 0-9 -."
  }
  validation {
    condition     = alltrue([for each in var.delegations : length([for kind in [each.terraform == null, each.ci == null, each.ansible == null] : kind if !kind]) == 1])
    error_message = "A delegation has exactly one of terraform, ci and ansible."
  }
  validation {
    condition = alltrue([for each in var.delegations : each.terraform == null ? true : alltrue([
      can(regex("^org-[A-Za-z0-9]{1,64}$", each.terraform.organization)),
      can(regex("^prj-[A-Za-z0-9]{1,64}$", each.terraform.project)),
      can(regex("^ws-[A-Za-z0-9]{1,64}$", each.terraform.workspace)),
    ])])
    error_message = "Organisation, project and workspace are told by their ids (org-…, prj-…, ws-…): a name can be given up and taken by others."
  }
  validation {
    condition = alltrue(flatten([for each in var.delegations : [for claims in [each.ci, each.ansible] : claims == null ? true : alltrue([
      length(claims) > 0 && length(claims) <= 16,
      alltrue([for name, value in claims : can(regex("^[A-Za-z][A-Za-z0-9_.:-]{0,127}$", name)) && can(regex("^[!-)+-~]{1,512}$", value))]),
    ])]]))
    error_message = "Claims are one to 16 names and texts, without star or blank."
  }
  validation {
    condition = alltrue(flatten([for each in var.delegations : [for claims in [each.ci, each.ansible] : claims == null ? true : (
      !anytrue([for name in keys(claims) : startswith(name, "terraform_")]) ||
      alltrue([for id in ["organization", "project", "workspace"] : contains(keys(claims), "terraform_${id}_id")])
    )]]))
    error_message = "Claims of HCP Terraform name all three ids: without one, other workspaces would do."
  }
  validation {
    condition     = alltrue([for each in var.delegations : each.ansible == null || each.entries != ""])
    error_message = "A controller of Ansible needs entries: how the names of the hosts begin that it may register."
  }
  validation {
    condition     = alltrue([for each in var.delegations : length(each.tenant) > 0 && can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){0,3}$", each.tenant))])
    error_message = "A tenant is one to four names of a-z 0-9 - joined by /."
  }
  validation {
    condition = alltrue(flatten([for each in var.delegations : [
      length(each.id_prefixes) > 0 && length(each.id_prefixes) <= 64,
      [for prefix in each.id_prefixes : can(regex("^([a-z0-9._-]{1,255}/)+$", prefix)) && !can(regex("^signet/|(^|/)[.]{1,2}/", prefix))],
    ]]))
    error_message = "A prefix is a path such as ns/shop/: lower-case segments, each followed by a slash, not below signet/. There is at least one."
  }
  validation {
    condition     = alltrue([for each in var.delegations : each.entries == "" || can(regex("^[a-z0-9][a-z0-9-]{0,61}$", each.entries))])
    error_message = "entries is how names begin, such as web-."
  }
  validation {
    condition = alltrue(flatten([for each in var.delegations : [
      length(each.networks) <= 64,
      [for network in each.networks : try(cidrsubnet(network, 0, 0) == network, false)],
    ]]))
    error_message = "A network is written as 10.1.0.0/16, by its first address."
  }
  validation {
    condition     = alltrue([for each in var.delegations : can(regex("^[!-)+-~]{1,512}$", each.audience))])
    error_message = "An audience is a text without star or blank."
  }
  validation {
    condition     = alltrue([for each in var.delegations : can(regex("^[1-9][0-9]{0,5}[smh]$", each.ttl)) && try(tonumber(regex("^[0-9]+", each.ttl)) * { s = 1, m = 60, h = 3600 }[substr(each.ttl, -1, 1)], 14401) <= 14400])
    error_message = "ttl is a lifetime such as 30m, of four hours at most."
  }
}

variable "layout" {
  description = "The layout, as the module `vault` puts it out; without it, the one that Vault keeps."
  type = object({
    svid_ttls = list(string)
    tenants = list(object({
      name        = string
      id_prefixes = list(string)
    }))
    broker = object({
      networks = list(string)
    })
  })
  default = null
}
