variable "broker_url" {
  description = "The broker, as machines reach it."
  type        = string
}

variable "broker_ca" {
  description = "A file with the root CA (PEM): the output `root` of trust-domain."
  type        = string
}

variable "orders_host_key" {
  description = "The SSH host key of the machine that runs orders: a line of `ssh-keyscan -t ed25519`, from the key on, or its fingerprint."
  type        = string
}

variable "orders_address" {
  description = "Where the sidecar of orders listens: IP address and port."
  type        = string
}

variable "orders_app" {
  description = "Where the app of orders listens, on its own machine."
  type        = string
  default     = "127.0.0.1:8080"
}

variable "web_outbound" {
  description = "Where the app of web speaks to its sidecar, on its own machine."
  type        = string
  default     = "127.0.0.1:15001"
}

variable "web_seed" {
  description = "The file that the user data of web is written to."
  type        = string
}
