terraform {
  # Ephemeral outputs: Terraform 1.10, OpenTofu 1.11.
  required_version = ">= 1.10"
  required_providers {
    signet = {
      source = "signet/signet"
    }
  }
}
