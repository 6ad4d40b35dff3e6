// Terraform's official provider for Vault, 3.3.1: the newest that can be built of its module. go.sum has what its own go.sum has.
module signet/tools/terraform-provider-vault

go 1.16

require (
	github.com/Azure/azure-sdk-for-go v58.3.0+incompatible
	github.com/Azure/go-autorest/autorest v0.11.21
	github.com/Azure/go-autorest/autorest/azure/auth v0.5.8
	github.com/aws/aws-sdk-go v1.41.8
	github.com/containerd/containerd v1.5.9 // indirect
	github.com/denisenkom/go-mssqldb v0.11.0
	github.com/docker/distribution v2.8.0+incompatible // indirect
	github.com/go-sql-driver/mysql v1.6.0
	github.com/gosimple/slug v1.11.0
	github.com/hashicorp/errwrap v1.1.0
	github.com/hashicorp/go-cleanhttp v0.5.2
	github.com/hashicorp/go-hclog v1.0.0
	github.com/hashicorp/go-multierror v1.1.1
	github.com/hashicorp/go-retryablehttp v0.7.0
	github.com/hashicorp/go-secure-stdlib/awsutil v0.1.5
	github.com/hashicorp/go-secure-stdlib/parseutil v0.1.2
	github.com/hashicorp/terraform-plugin-sdk/v2 v2.10.0
	github.com/hashicorp/vault v1.2.1-0.20211214161113-fcc5f22bea02
	github.com/hashicorp/vault/api v1.3.2-0.20211222220726-b046cd9f80eb
	github.com/hashicorp/vault/sdk v0.3.1-0.20211214161113-fcc5f22bea02
	github.com/mitchellh/go-homedir v1.1.0
	github.com/opencontainers/runc v1.0.3 // indirect
	golang.org/x/oauth2 v0.0.0-20211005180243-6b3c2da341f1
)

require github.com/hashicorp/terraform-provider-vault v1.9.1-0.20220225202911-91f40a2aed19
