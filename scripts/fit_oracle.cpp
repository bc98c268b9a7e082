// What the engine would allocate, to the byte, for many settings, without allocating weights.
//
//     fit_oracle JOBS
//
// Loads a GGUF in the engine's own no_alloc mode (as llama-fit-params does) and prints, for
// each line of the file JOBS, one JSON line with the model, context and compute bytes of every
// buffer type. GPUs are simulated: a device that claims every operation and allocates nothing,
// so that offloading can be checked where there is no GPU. Compiled and run by
// scripts/fit_residuals.py.
//
// A job: context batch ubatch kv_type flash(0|1|-1) gpu_layers cpu_experts gpus repack
//        full_window sequences path
#include "llama-ext.h"
#include "ggml-backend-impl.h"
#include "ggml-impl.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int MAX_GPUS = 2;

struct Gpu {
    std::string name;
    ggml_backend_buffer_type buft;
    ggml_backend_buffer_type host;
    ggml_backend_device device;
};
Gpu gpus[MAX_GPUS];
ggml_backend_reg reg;

void buffer_free(ggml_backend_buffer_t b) { delete[] (char *) b->context; }
void * buffer_base(ggml_backend_buffer_t b) { return b->context ? b->context : (void *) 0x1000; }
void buffer_memset(ggml_backend_buffer_t, ggml_tensor *, uint8_t, size_t, size_t) {}
void buffer_set(ggml_backend_buffer_t, ggml_tensor *, const void *, size_t, size_t) {}
void buffer_get(ggml_backend_buffer_t, const ggml_tensor *, void *, size_t, size_t) {}
void buffer_clear(ggml_backend_buffer_t, uint8_t) {}

ggml_backend_buffer_t alloc_device(ggml_backend_buffer_type_t buft, size_t size) {
    ggml_backend_buffer_i iface = {};
    iface.free_buffer = buffer_free;
    iface.get_base = buffer_base;
    iface.memset_tensor = buffer_memset;
    iface.set_tensor = buffer_set;
    iface.get_tensor = buffer_get;
    iface.clear = buffer_clear;
    return ggml_backend_buffer_init(buft, iface, nullptr, size);
}
ggml_backend_buffer_t alloc_host(ggml_backend_buffer_type_t buft, size_t size) {
    ggml_backend_buffer_t b = ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
    b->buft = buft;
    return b;
}
// CUDA: 128 bytes; quantized rows are padded to 512 elements (ggml-cuda.cu, MATRIX_ROW_PADDING)
size_t align_device(ggml_backend_buffer_type_t) { return 128; }
size_t align_host(ggml_backend_buffer_type_t) { return 32; }
size_t alloc_size(ggml_backend_buffer_type_t, const ggml_tensor * t) {
    size_t size = ggml_nbytes(t);
    if (ggml_is_quantized(t->type) && t->ne[0] % 512 != 0) {
        size += ggml_row_size(t->type, 512 - t->ne[0] % 512);
    }
    return size;
}
const char * buft_name(ggml_backend_buffer_type_t b) { return ((Gpu *) b->context)->name.c_str(); }
const char * host_name(ggml_backend_buffer_type_t) { return "GPU_Host"; }
bool is_not_host(ggml_backend_buffer_type_t) { return false; }
bool is_host(ggml_backend_buffer_type_t) { return true; }

const char * dev_name(ggml_backend_dev_t d) { return ((Gpu *) d->context)->name.c_str(); }
void dev_memory(ggml_backend_dev_t, size_t * free, size_t * total) {
    *free = *total = size_t(24) << 30;
}
enum ggml_backend_dev_type dev_type(ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; }
void dev_props(ggml_backend_dev_t d, ggml_backend_dev_props * p) {
    std::memset(p, 0, sizeof(*p));
    p->name = dev_name(d);
    p->description = dev_name(d);
    p->type = dev_type(d);
    dev_memory(d, &p->memory_free, &p->memory_total);
    p->caps.async = true;
    p->caps.host_buffer = true;
    p->caps.events = true;
}
const char * backend_name(ggml_backend_t b) { return dev_name(b->device); }
void backend_free(ggml_backend_t b) { delete b; }
ggml_status backend_compute(ggml_backend_t, ggml_cgraph *) { return GGML_STATUS_SUCCESS; }
ggml_backend_t dev_init(ggml_backend_dev_t d, const char *) {
    static ggml_guid guid = { 's', 'i', 'm' };
    ggml_backend_i iface = {};
    iface.get_name = backend_name;
    iface.free = backend_free;
    iface.graph_compute = backend_compute;
    return new ggml_backend { &guid, iface, d, nullptr };
}
ggml_backend_buffer_type_t dev_buft(ggml_backend_dev_t d) { return &((Gpu *) d->context)->buft; }
ggml_backend_buffer_type_t dev_host(ggml_backend_dev_t) { return &gpus[0].host; }
bool supports_op(ggml_backend_dev_t, const ggml_tensor *) { return true; }
bool supports_buft(ggml_backend_dev_t d, ggml_backend_buffer_type_t b) { return b == dev_buft(d); }
// as ggml-cuda.cu: weights in host memory are copied over when the batch is at least 32
bool offload_op(ggml_backend_dev_t, const ggml_tensor * op) {
    if (op->op == GGML_OP_GET_ROWS) {
        return false;
    }
    const int64_t batch = op->op == GGML_OP_MUL_MAT      ? op->ne[1]
                        : op->op == GGML_OP_MUL_MAT_ID   ? op->ne[2]
                        : op->op == GGML_OP_ROPE         ? op->ne[2]
                                                         : ggml_nrows(op);
    return batch >= 32;
}
ggml_backend_event_t event_new(ggml_backend_dev_t d) { return new ggml_backend_event { d, nullptr }; }
void event_free(ggml_backend_dev_t, ggml_backend_event_t e) { delete e; }
void event_synchronize(ggml_backend_dev_t, ggml_backend_event_t) {}

const char * reg_name(ggml_backend_reg_t) { return "GPU"; }
size_t reg_count(ggml_backend_reg_t) { return MAX_GPUS; }
ggml_backend_dev_t reg_device(ggml_backend_reg_t, size_t i) { return &gpus[i].device; }

void register_gpus() {
    for (int i = 0; i < MAX_GPUS; ++i) {
        Gpu & g = gpus[i];
        g.name = "GPU" + std::to_string(i);
        g.buft = { { buft_name, alloc_device, align_device, nullptr, alloc_size, is_not_host }, &g.device, &g };
        g.host = { { host_name, alloc_host, align_host, nullptr, nullptr, is_host }, &g.device, &g };
        g.device.iface = {};
        g.device.iface.get_name = dev_name;
        g.device.iface.get_description = dev_name;
        g.device.iface.get_memory = dev_memory;
        g.device.iface.get_type = dev_type;
        g.device.iface.get_props = dev_props;
        g.device.iface.init_backend = dev_init;
        g.device.iface.get_buffer_type = dev_buft;
        g.device.iface.get_host_buffer_type = dev_host;
        g.device.iface.supports_op = supports_op;
        g.device.iface.supports_buft = supports_buft;
        g.device.iface.offload_op = offload_op;
        g.device.iface.event_new = event_new;
        g.device.iface.event_free = event_free;
        g.device.iface.event_synchronize = event_synchronize;
        g.device.reg = &reg;
        g.device.context = &g;
    }
    reg.api_version = GGML_BACKEND_API_VERSION;
    reg.iface = { reg_name, reg_count, reg_device, nullptr };
    ggml_backend_register(&reg);
}

std::string output_line; // the engine says the size of the output buffer only in its log

void on_log(ggml_log_level level, const char * text, void *) {
    if (std::strstr(text, "output buffer size")) {
        output_line = text;
    }
    if (level == GGML_LOG_LEVEL_ERROR) {
        std::fputs(text, stderr);
    }
}

ggml_type type_named(const std::string & name) {
    for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
        const char * known = ggml_type_name((ggml_type) i);
        if (known && name == known) {
            return (ggml_type) i;
        }
    }
    return GGML_TYPE_F16;
}

void answer(const std::string & line) {
    std::istringstream in(line);
    std::string path, kv;
    int ctx, batch, ubatch, flash, gpu_layers, cpu_moe, devices, repack, swa_full, sequences;
    in >> ctx >> batch >> ubatch >> kv >> flash >> gpu_layers >> cpu_moe >> devices >> repack >> swa_full >> sequences;
    std::getline(in >> std::ws, path);

    std::vector<ggml_backend_dev_t> used;
    for (int i = 0; i < devices; ++i) {
        used.push_back(&gpus[i].device);
    }
    used.push_back(nullptr);
    std::vector<std::string> patterns;
    for (int i = 0; i < cpu_moe; ++i) { // as --n-cpu-moe does (common/common.h)
        patterns.push_back("blk\\." + std::to_string(i) + "\\.ffn_(up|down|gate|gate_up)_(ch|)exps");
    }
    std::vector<llama_model_tensor_buft_override> overrides;
    for (auto & p : patterns) {
        overrides.push_back({ p.c_str(), ggml_backend_cpu_buffer_type() });
    }
    overrides.push_back({ nullptr, nullptr });

    llama_model_params mp = llama_model_default_params();
    mp.devices = used.data();
    mp.n_gpu_layers = gpu_layers;
    mp.no_alloc = true;
    mp.load_mode = LLAMA_LOAD_MODE_NONE;
    mp.use_extra_bufts = repack;
    mp.tensor_buft_overrides = cpu_moe ? overrides.data() : nullptr;
    llama_context_params cp = llama_context_default_params();
    cp.n_ctx = ctx;
    cp.n_batch = batch;
    cp.n_ubatch = ubatch;
    cp.type_k = cp.type_v = type_named(kv);
    cp.flash_attn_type = (llama_flash_attn_type) flash;
    cp.swa_full = swa_full;
    cp.n_seq_max = sequences;

    output_line.clear();
    llama_model * model = llama_model_load_from_file(path.c_str(), mp);
    llama_context * context = model ? llama_init_from_model(model, cp) : nullptr;
    if (!context) {
        std::printf("{\"error\": \"not loaded\"}\n");
    } else {
        double output = 0;
        if (auto at = output_line.find("size ="); at != std::string::npos) {
            output = std::stod(output_line.substr(at + 6));
        }
        std::printf("{\"output\": %.0f, \"buffers\": {", output * 1024 * 1024);
        const char * comma = "";
        for (const auto & [buft, m] : llama_get_memory_breakdown(context)) {
            std::printf("%s\"%s\": [%zu, %zu, %zu]", comma, ggml_backend_buft_name(buft), m.model, m.context, m.compute);
            comma = ", ";
        }
        std::printf("}}\n");
        llama_free(context);
    }
    if (model) {
        llama_model_free(model);
    }
    std::fflush(stdout);
}

} // namespace

int main(int argc, char ** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s JOBS\n", argv[0]);
        return 2;
    }
    llama_log_set(on_log, nullptr);
    register_gpus();
    std::ifstream jobs(argv[1]);
    for (std::string line; std::getline(jobs, line);) {
        answer(line);
    }
    return 0;
}
