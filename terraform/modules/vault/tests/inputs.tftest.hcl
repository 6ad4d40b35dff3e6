# `tofu test` in this folder: what the module takes and what it refuses, without a Vault.

mock_provider "vault" {
  mock_resource "vault_generic_endpoint" {
    defaults = {
      write_data = {
        csr      = "a request"
        ca_chain = "[\"-----BEGIN CERTIFICATE-----one-----END CERTIFICATE-----\"]"
      }
    }
  }
}

variables {
  trust_domain = "example.org"
}

run "needs_no_more_than_a_trust_domain" {
  command = plan
  assert {
    condition     = output.layout.root == "vault" && output.layout.broker.secret_id_ttl == "2160h"
    error_message = "The defaults are those of the layout document."
  }
}

run "sorts_lifetimes" {
  command = plan
  variables {
    svid_ttls = ["2h", "90m", "20s"]
  }
  assert {
    condition     = join(" ", output.layout.svid_ttls) == "20s 90m 2h"
    error_message = "The shortest stands first, as in the layout that Vault keeps."
  }
}

run "lets_a_tenant_below_another_have_a_narrower_prefix" {
  command = plan
  variables {
    tenants = [
      { name = "acme", id_prefixes = ["ns/"] },
      { name = "acme/shop", id_prefixes = ["ns/shop/"] },
    ]
  }
  assert {
    condition     = length(output.layout.tenants) == 2
    error_message = "Both are tenants."
  }
}

run "refuses_tenants_that_reach_into_each_other" {
  command = plan
  variables {
    tenants = [
      { name = "acme", id_prefixes = ["ns/"] },
      { name = "globex", id_prefixes = ["ns/globex/"] },
    ]
  }
  expect_failures = [var.tenants]
}

run "refuses_a_prefix_that_is_a_glob" {
  command = plan
  variables {
    tenants = [{ name = "acme", id_prefixes = ["ns/*/"] }]
  }
  expect_failures = [var.tenants]
}

run "refuses_a_prefix_of_signets_own" {
  command = plan
  variables {
    tenants = [{ name = "acme", id_prefixes = ["signet/"] }]
  }
  expect_failures = [var.tenants]
}

run "refuses_a_prefix_that_names_half_a_segment" {
  command = plan
  variables {
    tenants = [{ name = "acme", id_prefixes = ["ns/shop"] }]
  }
  expect_failures = [var.tenants]
}

run "refuses_a_tenant_whose_name_is_a_glob" {
  command = plan
  variables {
    tenants = [{ name = "acme*", id_prefixes = ["ns/acme/"] }]
  }
  expect_failures = [var.tenants]
}

run "refuses_a_trust_domain_in_capitals" {
  command = plan
  variables {
    trust_domain = "Example.org"
  }
  expect_failures = [var.trust_domain]
}

run "refuses_an_empty_list_of_lifetimes" {
  command = plan
  variables {
    svid_ttls = []
  }
  expect_failures = [var.svid_ttls]
}

run "refuses_lifetimes_that_are_no_words" {
  command = plan
  variables {
    svid_ttls = ["1 day"]
  }
  expect_failures = [var.svid_ttls]
}

run "refuses_lifetimes_over_a_week" {
  command = plan
  variables {
    svid_ttls = ["169h"]
  }
  expect_failures = [var.svid_ttls]
}

run "refuses_the_same_lifetime_twice" {
  command = plan
  variables {
    svid_ttls = ["60m", "1h"]
  }
  expect_failures = [var.svid_ttls]
}

run "refuses_a_broker_for_any_host" {
  command = plan
  variables {
    broker = { dns = ["*.example.org"] }
  }
  expect_failures = [var.broker]
}

run "refuses_a_network_that_is_none" {
  command = plan
  variables {
    broker = { networks = ["10.0.0.0/33"] }
  }
  expect_failures = [var.broker]
}

run "refuses_an_address_with_a_path" {
  command = plan
  variables {
    public_url = "https://vault.example.org/v1"
  }
  expect_failures = [var.public_url]
}

run "refuses_a_root_that_is_nowhere" {
  command = plan
  variables {
    root = "none"
  }
  expect_failures = [var.root]
}
