# A machine that is expected, and what cloud-init does on it: the sidecar's settings, and the sidecar.

resource "signet_host" "this" {
  tenant        = var.tenant
  name          = var.name
  spiffe_id     = var.spiffe_id
  ttl           = var.ttl
  networks      = var.networks
  appear_within = var.appear_within

  ssh_host_key = var.proof.ssh_host_key
  ssh_host_ca  = var.proof.ssh_host_ca
  device       = var.proof.device
  tpm_ek       = var.proof.tpm_ek
  aws          = var.aws_instance
  join         = var.proof.join ? true : null

  lifecycle {
    precondition {
      condition     = var.proof.aws == (var.aws_instance != null)
      error_message = "aws_instance says which instance it is: with the proof aws, and only with it."
    }
  }
}

ephemeral "signet_join" "code" {
  count       = var.proof.join ? 1 : 0
  host        = signet_host.this.id
  ttl_seconds = var.join_ttl_seconds
}

locals {
  code_file = "/etc/signet/join-code"
  # %d/ is a credential: what the sidecar's unit has systemd read, as root, when it starts.
  places = {
    ssh  = "ssh-host:%d/ssh_host_ed25519_key"
    tpm  = "tpm:/dev/tpmrm0"
    aws  = "aws:%d/ssh_host_ed25519_key"
    join = "join:%d/join-code"
  }
  way = var.proof.join ? "join" : var.proof.aws ? "aws" : var.proof.tpm_ek != null ? "tpm" : "ssh"

  environment = merge(var.environment, {
    SIGNET_TRUST_DOMAIN = var.trust_domain
    SIGNET_BROKER_URL   = var.broker.url
    SIGNET_BROKER_CA    = "/etc/signet/broker-ca.pem"
    SIGNET_ATTEST       = coalesce(var.attest, local.places[local.way])
  })

  files = concat(local.way == "tpm" ? [local.tpm_access] : [], [
    {
      path        = "/etc/signet/broker-ca.pem"
      permissions = "0644"
      content     = var.broker.ca
    },
    {
      path        = "/etc/signet/sidecar.env"
      permissions = "0644"
      content     = join("", [for name, value in local.environment : "${name}='${value}'\n"])
    },
  ])

  # The unit has no devices of its own accord.
  tpm_access = {
    path        = "/etc/systemd/system/signet-sidecar.service.d/tpm.conf"
    permissions = "0644"
    content     = "[Service]\nPrivateDevices=no\nDeviceAllow=/dev/tpmrm0 rw\nSupplementaryGroups=tss\n"
  }

  # One command: cloud-init goes on after one that fails, and what is not to the byte what was meant must not be installed.
  installing = var.package == null ? [] : [["sh", "-euc", <<-EOT
    curl --fail --silent --show-error --location --proto =https --retry 5 --output ${local.downloaded} '${var.package.url}'
    echo '${var.package.sha256}  ${local.downloaded}' | sha256sum --check --strict
    ${endswith(var.package.url, ".deb") ? "dpkg --install --force-confold" : "rpm --upgrade"} ${local.downloaded}
    EOT
  ]]
  downloaded = var.package == null ? "" : "/run/signet-sidecar${regex("[.](?:deb|rpm)$", var.package.url)}"

  document = {
    write_files = local.files
    runcmd      = concat(local.installing, [["systemctl", "enable", "--now", "--no-block", "signet-sidecar.service"]])
  }
}
