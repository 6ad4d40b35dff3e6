/** The environment that every command which speaks to Vault reads, for its `--help`. */
export const VAULT_ENVIRONMENT = `
environment:
  VAULT_ADDR             Vault's address, such as https://vault.example.org:8200
  VAULT_TOKEN            the token to use
  VAULT_CACERT           file of the CA that signs Vault's certificate (PEM), if not one of the system's
  VAULT_NAMESPACE        Vault namespace, if any`;

/** The environment that every command which speaks to the broker reads, for its `--help`. */
export const BROKER_ENVIRONMENT = `
environment:
  SIGNET_BROKER_URL      the broker, such as https://broker.example.org:8555
  SIGNET_BROKER_CA       file of the root CA that the broker's certificate must chain to (PEM)
  SIGNET_TRUST_DOMAIN    the trust domain, such as example.org
  VAULT_TOKEN            your Vault token: it decides what you may see and change`;
